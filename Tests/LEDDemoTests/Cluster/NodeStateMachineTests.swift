import Testing

@testable import LEDDemo

@Suite struct NodeStateMachineTests {
    /// A machine that was driven to a state.
    private func machine(_ commands: NodeStateMachine.Command..., ready: Bool = true) -> NodeStateMachine {
        var machine = NodeStateMachine()
        for command in commands {
            _ = machine.receive(command)
            if ready { machine.becameReady(machine.generation) }
        }
        return machine
    }

    @Test func aLifeOfStartsFreezesAndStops() {
        var machine = NodeStateMachine()
        #expect(machine.commands == [.start])
        #expect(machine.receive(.start) == .spawn)
        #expect(machine.state == .starting)
        machine.becameReady(1)
        #expect(machine.state == .running)
        #expect(machine.receive(.freeze) == .freeze)
        #expect(machine.state == .frozen)
        #expect(machine.receive(.resume) == .resume)
        #expect(machine.state == .running)
        #expect(machine.receive(.stop) == .kill)
        #expect(machine.state == .stopping)
        #expect(machine.commands.isEmpty)
        machine.ended(1, status: -9)
        #expect(machine.state == .stopped)
        #expect(machine.receive(.start) == .spawn)
    }

    @Test func whatEndsByItselfHasCrashed() {
        for commands in [[NodeStateMachine.Command.start], [.start, .freeze]] {
            var machine = NodeStateMachine()
            for command in commands {
                _ = machine.receive(command)
                machine.becameReady(1)
            }
            machine.ended(1, status: 69)
            #expect(machine.state == .crashed(69))
            #expect(machine.commands == [.start])
        }
        var starting = machine(.start, ready: false)
        starting.ended(1, status: -6)
        #expect(starting.state == .crashed(-6))
    }

    @Test func aFrozenNodeCanBeStopped() {
        var machine = machine(.start, .freeze)
        #expect(machine.receive(.stop) == .kill)
        machine.ended(1, status: -9)
        #expect(machine.state == .stopped)
    }

    @Test func commandsThatMakeNoSenseChangeNothing() {
        let machines = [machine(), machine(.start), machine(.start, .freeze), machine(.start, .stop)]
        for before in machines {
            for command in NodeStateMachine.Command.allCases where !before.commands.contains(command) {
                var machine = before
                #expect(machine.receive(command) == nil)
                #expect(machine.state == before.state)
            }
        }
    }

    @Test func newsOfAnEarlierProcessIsNotThePresentOnes() {
        var machine = machine(.start, .stop)
        machine.ended(1, status: -9)
        _ = machine.receive(.start)
        machine.becameReady(1)
        #expect(machine.state == .starting)
        machine.ended(1, status: 0)
        #expect(machine.state == .starting)
        machine.becameReady(2)
        #expect(machine.state == .running)
    }
}

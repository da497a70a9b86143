import ArgumentParser
import DeviceCore
import DeviceProtocols
import DeviceSDK
import DeviceSimulator
import Glibc
import Testing

@testable import LEDDemo

@Suite struct OptionTests {
    @Test(arguments: [
        ("500ms", Duration.milliseconds(500)), ("10s", .seconds(10)), ("2m", .seconds(120)), ("1h", .seconds(3600)),
    ])
    func durationsAreRead(_ text: String, _ expected: Duration) throws {
        #expect(try DurationText.parse(text) == expected)
    }

    @Test(arguments: ["", "10", "s", "-1s", "nans", "1e99h", "10 s s", "infs"])
    func otherDurationsAreRefused(_ text: String) {
        #expect(throws: DeviceError.self) { try DurationText.parse(text) }
    }

    @Test func buttonsAreRead() throws {
        let button = try ButtonSpecification("line=pin18,led=2")
        #expect(button.line == .pin(18))
        #expect(button.led == 2)
        #expect(try ButtonSpecification("line=GPIO24").led == 1)
    }

    @Test(arguments: ["", "pin18", "led=1", "line=pin18,led=0", "line=pin18,led=x", "line=pin18,colour=red"])
    func otherButtonsAreRefused(_ text: String) {
        #expect(throws: DeviceError.self) { try ButtonSpecification(text) }
    }

    @Test(arguments: [
        (["--broker", "ftp://x"], "unknown scheme"),
        (["--broker", "smq://a", "--listen", "127.0.0.1:1"], "--broker replaces"),
        (["--tls-key", "key.pem"], "belong together"), (["--open"], "--open needs --lan"),
        (["--listen", "0.0.0.0:8080"], "reachable from other machines"),
        (["--lan", "--listen", "127.0.0.1:1"], "contradict"), (["--listen", "nonsense"], "not an address"),
        (["--on-exit", "initial"], "is unknown"), (["--for", "soon"], "not a duration"),
        (["--led", "name=A,color=pink,line=pin11"], "color"), (["--button", "x"], "KEY=VALUE"),
        (["--cluster", "1"], "not possible"), (["--cluster", "2", "--lan"], "this machine alone"),
        (["--cluster", "2", "--broker", "smq://a"], "its own brokers"), (["--heartbeat", "often"], "no rate"),
        (["--page", "http://a/"], "with --broker"),
        (["--broker", "smq://a", "--policy", "best"], "least-connections"), (["--policy", "random"], "with --broker"),
        (["--broker", "smq://a", "--service", "smq"], "_smq._tcp"),
        (["--button", "line=pin18,led=9"], "there are 4 LEDs"), (["--uid", "short"], "6 to 255 bytes"),
    ])
    func wrongCommandLinesAreExplained(_ arguments: [String], _ part: String) async throws {
        let command = try LEDDemoCommand.parse(arguments)
        let error = #expect(throws: DeviceError.self) { try command.options() }
        #expect(error?.description.contains(part) == true, "\(String(describing: error))")
        #expect(error?.exitStatus == 64)
    }

    @Test(arguments: [
        (["--button", "line=GPIO17"], "LED \"Red\""), (["--button", "line=GPOI18"], "GPOI18"),
        (["--led", "name=A,color=red,line=GPOI17"], "GPOI17"),
        (["--led", "name=A,color=red,line=pin11", "--led", "name=B,color=red,line=GPIO17"], "both on line"),
    ])
    func linesThatTheBoardDoesNotHaveAreWrongUsage(_ arguments: [String], _ part: String) throws {
        let options = try LEDDemoCommand.parse(arguments).options()
        let error = #expect(throws: DeviceError.self) { try options.checkLines(on: SimulatedBoard()) }
        #expect(error?.description.contains(part) == true, "\(String(describing: error))")
        #expect(error?.exitStatus == 64)
    }

    @Test(arguments: ["rpi99", "sim:rpi99"])
    func unknownBoardsAreWrongUsage(_ board: String) throws {
        let options = try LEDDemoCommand.parse(["--board", board]).options()
        let error = #expect(throws: DeviceError.self) { try DemoBoard.choose(options) }
        #expect(error?.exitStatus == 64)
        #expect(error?.hint?.contains("rpi4") == true)
    }

    @Test func theDeviceOfAClusterGetsWhatTheUserChose() throws {
        let command = try LEDDemoCommand.parse([
            "--cluster", "2", "--board", "sim:rockpi4b", "--name", "A b", "--json", "--for=7s",
        ])
        #expect(try command.options().cluster == 2)
        let arguments = command.deviceArguments + ["--broker=smq://cluster.demo:1", "--hosts=/x", "--heartbeat=20"]
        let options = try LEDDemoCommand.parse(arguments).options()
        #expect(options.board == "sim:rockpi4b")
        #expect(options.name == "A b")
        #expect(options.isJSON)
        #expect(options.profile == .fast)
        #expect(options.duration == .seconds(7))
        #expect(options.cluster == nil)
        #expect(options.hostsFile == "/x")
        #expect(options.heartbeat == 20)
    }

    @Test(arguments: NodePolicyName.allCases) func policiesAndServicesAreTaken(_ policy: NodePolicyName) throws {
        let options = try LEDDemoCommand.parse(
            ["--broker", "smq://a", "--policy", policy.rawValue, "--service", "_smq._tcp"]
        ).options()
        #expect(options.policy == policy && options.service == "_smq._tcp")
        #expect(policy.policy(client: [1]).name == policy.rawValue)
    }

    @Test func uidIsTaken() throws {
        #expect(try LEDDemoCommand.parse(["--uid", "kitchen"]).options().uid == Array("kitchen".utf8))
        #expect(try LEDDemoCommand.parse([]).options().uid == nil)
    }

    @Test func identityIsThatOfARealCard() throws {
        var template = Array("/tmp/net-test-XXXXXX".utf8CString)
        try #require(mkdtemp(&template) != nil)
        let directory = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        func add(_ name: String, _ address: String, isHardware: Bool) throws {
            try #require(mkdir("\(directory)/\(name)", 0o700) == 0)
            if isHardware { try #require(mkdir("\(directory)/\(name)/device", 0o700) == 0) }
            close(open("\(directory)/\(name)/address", O_CREAT | O_WRONLY, 0o600))
            try SystemFile.write(address + "\n", to: "\(directory)/\(name)/address")
        }
        func uid() -> [UInt8] { MachineIdentity.uid(isSimulated: false, directory: directory) }
        try add("lo", "00:00:00:00:00:00", isHardware: false)
        try add("a", "02:42:00:00:00:01", isHardware: false)
        #expect(uid() == [2, 0x42, 0, 0, 0, 1])
        try add("b", "06:00:00:00:00:02", isHardware: true)
        #expect(uid() == [6, 0, 0, 0, 0, 2])
        try add("c", "b8:27:eb:00:00:03", isHardware: false)
        #expect(uid() == [0xB8, 0x27, 0xEB, 0, 0, 3])
        try add("d", "b8:27:eb:00:00:04", isHardware: true)
        #expect(uid() == [0xB8, 0x27, 0xEB, 0, 0, 4])
    }

    @Test func keysAreDecoded() {
        #expect(TerminalInput.decode([0x31, 0x1B, 0x5B, 0x41, 0x71][...]) == [.character("1"), .up, .character("q")])
        #expect(TerminalInput.decode([0x1B, 0x4F, 0x42][...]) == [.down])
        // A broken escape sequence and bytes that are no ASCII are no keys.
        #expect(TerminalInput.decode([0x1B, 0x5B][...]).isEmpty)
        #expect(TerminalInput.decode([0xC3, 0xA4][...]).isEmpty)
    }

    @Test func degreesAreWrittenAsPeopleDo() {
        #expect(TerminalScreen.degrees(215) == "21.5 °C")
        #expect(TerminalScreen.degrees(-5) == "-0.5 °C")
    }
}

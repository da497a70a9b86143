import DeviceCore
import DeviceLua
import DeviceProtocols
import DeviceTransport
import NIOCore

/// The numbers of `/metrics`. Made on the gateway's event loop.
struct GatewayMetrics {
    private let handle: GatewayHandle
    private let core: GatewayCore
    private let scripts: GatewayScripts?

    init(_ handle: GatewayHandle, _ scripts: GatewayScripts?) {
        self.handle = handle
        self.scripts = scripts
        core = handle.bound.value
    }

    var all: [Metric] { radio + downlinks + uplinks + ways + asked }

    private var radio: [Metric] {
        let (status, counters, sieve) = (core.host.status, core.host.radio.counters, core.sieve.counters)
        return [
            Metric(.gauge, "lora_radio_running", "Whether the radio runs.", status.isRunning ? 1 : 0),
            Metric(.counter, "lora_radio_restarts_total", "Times that a deaf radio was started anew.", status.restarts),
            Metric(.counter, "lora_radio_frames_total", "Frames heard, whatever their checksum.", counters.received),
            Metric(.counter, "lora_radio_lost_total", "Frames lost before they were read.", counters.lost),
            Metric(.counter, "lora_radio_bad_crc_total", "Frames with a wrong checksum.", counters.badCRC),
            Metric(
                .counter, "lora_frames_kept_back_total", "Frames that nobody sent.", label: "kind",
                [("ghost", Double(sieve.ghosts)), ("mirror", Double(sieve.mirrors))]),
            Metric(
                .counter, "lora_warnings_total", "What was wrong, by kind.", label: "kind",
                core.warnings.sorted { $0.key < $1.key }.map { ($0.key, Double($0.value)) }),
        ]
    }

    private var downlinks: [Metric] {
        let (counters, handOver) = (core.desk.queue.counters, core.desk.handOver)
        return [
            Metric(.gauge, "lora_downlinks_waiting", "Frames that wait or are on the air.", core.desk.count),
            Metric(.counter, "lora_downlinks_requested_total", "Frames that servers wanted sent.", counters.requested),
            Metric(.counter, "lora_downlinks_sent_total", "Frames that went on the air.", counters.emitted),
            Metric(
                .counter, "lora_downlinks_refused_total", "Frames that were refused.", label: "reason",
                DownlinkRefusal.allCases.map { ($0.rawValue, Double(counters.refused[$0] ?? 0)) }),
            Metric(
                .counter, "lora_downlinks_failed_total", "Accepted frames that were not sent.", label: "reason",
                DownlinkFailure.allCases.map { ($0.rawValue, Double(counters.failed[$0] ?? 0)) }),
            Metric(.counter, "lora_airtime_down_microseconds_total", "Time on the air.", counters.airtime),
            Metric(
                .counter, "lora_handover_outside_total", "Frames handed to the radio too early or too late.",
                handOver.outside),
        ]
    }

    private var uplinks: [Metric] {
        func metric(_ kind: Metric.Kind, _ name: String, _ help: String, _ value: (UplinkChannel) -> UInt64) -> Metric {
            Metric(
                kind, name, help, label: "uplink",
                core.channels.map { (Self.label($0.configuration.name), Double(value($0))) })
        }
        return [
            metric(.gauge, "lora_uplink_up", "Whether the server can be reached.") {
                $0.link?.state.isUp == true ? 1 : 0
            },
            metric(.counter, "lora_uplink_offered_total", "Frames that passed the filters.") { $0.counters.offered },
            metric(.counter, "lora_uplink_sent_total", "Frames sent.") { $0.counters.sent },
            metric(.counter, "lora_uplink_delivered_total", "Frames acknowledged.") { $0.counters.delivered },
            metric(.counter, "lora_uplink_missed_total", "Frames that nobody acknowledged.") { $0.counters.missed },
            metric(.counter, "lora_uplink_dropped_total", "Frames given up without a connection.") {
                $0.counters.dropped
            },
            metric(.gauge, "lora_uplink_stored", "Frames that wait on disk.") { $0.stored?.waiting ?? 0 },
            metric(.counter, "lora_uplink_downlinks_total", "Frames that the server wanted sent.") {
                $0.counters.downlinks
            },
        ]
    }

    /// What only one kind of up-link has.
    private var ways: [Metric] {
        var values: [(label: String, value: Double)] = []
        for channel in core.channels {
            for (name, value) in channel.link?.counters ?? [] {
                values.append((Self.label("\(channel.configuration.name)/\(name)"), Double(value)))
            }
        }
        return [Metric(.counter, "lora_link_events_total", "Events of the protocol.", label: "event", values)]
    }

    /// What scripts made of frames; nothing without scripts.
    private var asked: [Metric] {
        guard let gates = core.gates, let hooks = scripts?.hooks.counters else { return [] }
        return [
            Metric(
                .counter, "lora_script_uplinks_total", "What scripts made of frames that were heard.", label: "answer",
                gates.uplinks.counters.named.map { ($0.name, Double($0.value)) }),
            Metric(
                .counter, "lora_script_downlinks_total", "What scripts made of frames to send.", label: "answer",
                gates.downlinks.counters.named.map { ($0.name, Double($0.value)) }),
            Metric(
                .counter, "lora_script_faults_total", "Functions of scripts that failed.", hooks.failed),
        ]
    }

    /// A name within the quotes of a label.
    private static func label(_ name: String) -> String {
        name.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
    }
}

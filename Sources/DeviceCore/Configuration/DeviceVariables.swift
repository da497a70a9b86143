/// Every `DEVICE_…` variable of this package's programs.
///
/// They may share one environment, so each passes over what is another's; what is nobody's is a spelling mistake and
/// refused.
public enum DeviceVariables {
    /// The names.
    public static let all: Set<String> = [
        "DEVICE_ACCOUNTS", "DEVICE_BOARD", "DEVICE_BROKER", "DEVICE_BUTTON", "DEVICE_CHECK_CONFIG", "DEVICE_CLUSTER",
        "DEVICE_CLUSTER_PASSWORD_FILE", "DEVICE_CONFIG", "DEVICE_DELIVERY", "DEVICE_DEVICES", "DEVICE_DNS",
        "DEVICE_DRAIN", "DEVICE_EVENTS", "DEVICE_EVERY", "DEVICE_FOR", "DEVICE_HEARTBEAT", "DEVICE_HOSTS",
        "DEVICE_JSON", "DEVICE_LAN", "DEVICE_LED", "DEVICE_LINK_PORT", "DEVICE_LISTEN", "DEVICE_MAX_BYTES",
        "DEVICE_MAX_CLIENTS", "DEVICE_MAX_FRAME", "DEVICE_MAX_GATEWAYS", "DEVICE_MAX_RATE", "DEVICE_MONITOR",
        "DEVICE_NAME", "DEVICE_ON_EXIT", "DEVICE_OPEN", "DEVICE_PAGE", "DEVICE_PEERS", "DEVICE_PROFILE",
        "DEVICE_QUIET", "DEVICE_RAMP", "DEVICE_RECEIVER", "DEVICE_SCENARIO", "DEVICE_SEED", "DEVICE_SERVER",
        "DEVICE_SERVER_NAME", "DEVICE_SIMULATE", "DEVICE_STANDBY", "DEVICE_STATE", "DEVICE_STATION", "DEVICE_SVG",
        "DEVICE_THREADS", "DEVICE_TLS_CA", "DEVICE_TLS_CERTIFICATE", "DEVICE_TLS_CLIENT_CA", "DEVICE_TLS_KEY",
        "DEVICE_UID", "DEVICE_VERBOSE",
        // Secrets, and so no flags: anybody can read another process's flags.
        "DEVICE_CLUSTER_PASSWORD", "DEVICE_PASSWORD", "DEVICE_TOKEN",
    ]
}

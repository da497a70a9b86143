extension TLSServerContext {
    /// The counters for `/metrics`.
    public var metrics: [Metric] {
        let counters = counters
        return [
            Metric(
                .counter, "tls_handshakes_total", "TLS handshakes with clients that succeeded.", counters.handshakes),
            Metric(.counter, "tls_resumed_total", "Those that took up an earlier session.", counters.resumed),
            Metric(.counter, "tls_refused_total", "TLS handshakes with clients that failed.", counters.refused),
            Metric(.counter, "tls_reloads_total", "Changed certificate files put into use.", counters.reloads),
            Metric(
                .counter, "tls_reload_failures_total", "Changed certificate files that could not be used.",
                counters.reloadFailures),
        ]
    }
}

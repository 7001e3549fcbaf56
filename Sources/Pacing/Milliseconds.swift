extension Duration {
    /// Finer than a millisecond is cut off.
    package var wholeMilliseconds: Int64 {
        let (seconds, attoseconds) = components
        return seconds.multipliedReportingOverflow(by: 1000).partialValue &+ attoseconds / 1_000_000_000_000_000
    }

    /// For log lines: `2500ms`.
    package var inMilliseconds: String { "\(wholeMilliseconds)ms" }
}

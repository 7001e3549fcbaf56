package import Logging
import Messaging

/// Writes each log event as one logfmt line: `time=… level=… msg="…" key=value …`, keys in alphabetical order.
package struct LineLog: LogHandler {
    package var logLevel: Logger.Level
    package var metadata: Logger.Metadata = [:]
    package var metadataProvider: Logger.MetadataProvider?
    private let clock: @Sendable () -> Int64
    private let write: @Sendable (String) -> Void

    /// - Parameters:
    ///   - clock: milliseconds since 1970.
    ///   - write: takes a line without its end; called on any thread, must write it whole.
    package init(level: Logger.Level, clock: @escaping @Sendable () -> Int64, write: @escaping @Sendable (String) -> Void) {
        logLevel = level
        self.clock = clock
        self.write = write
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        var all = metadata
        if let provided = metadataProvider?.get() { all.merge(provided) { _, new in new } }
        if let own = event.metadata { all.merge(own) { _, new in new } }
        if let error = event.error { all["error"] = "\(error)" }
        write(line(event.level, event.message.description, all))
    }

    /// The line of an event, without its end.
    package func line(_ level: Logger.Level, _ message: String, _ metadata: Logger.Metadata) -> String {
        var logfmt = Logfmt()
        logfmt.append("time", Timestamp(milliseconds: clock()).rfc3339)
        logfmt.append("level", level.rawValue)
        logfmt.append("msg", message)
        for (key, value) in metadata.sorted(by: { $0.key < $1.key }) { logfmt.append(key, value.description) }
        return logfmt.line
    }
}

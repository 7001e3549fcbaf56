import JSON
package import Logging
import Messaging

/// Writes each log event as one line, keys in alphabetical order: `time=… level=… msg="…" key=value …`, or a JSON object of texts.
package struct LineLog: LogHandler {
    package var logLevel: Logger.Level
    package var metadata: Logger.Metadata = [:]
    package var metadataProvider: Logger.MetadataProvider?
    package enum Format: String, Sendable { case logfmt, json }

    private let format: Format
    private let clock: @Sendable () -> Int64
    private let write: @Sendable (String) -> Void

    /// - Parameters:
    ///   - clock: milliseconds since 1970.
    ///   - write: takes a line without its end; called on any thread, must write it whole.
    package init(
        level: Logger.Level, format: Format = .logfmt, clock: @escaping @Sendable () -> Int64, write: @escaping @Sendable (String) -> Void
    ) {
        logLevel = level
        self.format = format
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
        let facts = metadata.sorted { $0.key < $1.key }.map { ($0.key, $0.value.description) }
        let all = [("time", Timestamp(milliseconds: clock()).rfc3339), ("level", level.rawValue), ("msg", message)] + facts
        switch format {
        case .logfmt:
            var logfmt = Logfmt()
            for (key, value) in all { logfmt.append(key, value) }
            return logfmt.line
        case .json:
            var json: [UInt8] = []
            for (key, value) in all {
                json.append(UInt8(ascii: json.isEmpty ? "{" : ","))
                json.appendJSONString(key)
                json.append(UInt8(ascii: ":"))
                json.appendJSONString(value)
            }
            json.append(UInt8(ascii: "}"))
            return String(decoding: json, as: UTF8.self)
        }
    }
}

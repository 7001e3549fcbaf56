import HangGuard
import Linux
import Logging
import Testing

@testable import Telemetry

@Suite("The log", .guarded)
struct LineLogTests {
    private final class Lines: Sendable {
        let all = Locked<[String]>([])
    }

    private func lines(level: Logger.Level = .info, format: LineLog.Format = .logfmt, _ body: (inout Logger) -> Void) -> [String] {
        let lines = Lines()
        var log = Logger(label: "test") { _ in
            LineLog(level: level, format: format, clock: { 1_795_473_900_123 }, write: { line in lines.all.withLock { $0.append(line) } })
        }
        body(&log)
        return lines.all.withLock { $0 }
    }

    @Test("An event is one line: time, level, message, then its facts in alphabetical order")
    func line() {
        let written = lines { log in
            log[metadataKey: "loop"] = "3"
            log.info("listening", metadata: ["url": "http://127.0.0.1:8080", "loop": "4", "cores": "2"])
        }
        #expect(written == ["time=2026-11-23T22:45:00.123Z level=info msg=listening cores=2 loop=4 url=http://127.0.0.1:8080"])
    }

    @Test("In the format json an event is one object of texts, in the same order")
    func json() {
        let written = lines(format: .json) { log in
            log.warning("say \"x\"", metadata: ["b": "two\nlines", "a": "1"])
        }
        #expect(
            written == [
                #"{"time":"2026-11-23T22:45:00.123Z","level":"warning","msg":"say \"x\"","a":"1","b":"two\nlines"}"#
            ])
    }

    @Test("Lines below the level are not written")
    func level() {
        let written = lines(level: .warning) { log in
            log.info("a")
            log.warning("b")
        }
        #expect(written.count == 1)
    }

    @Test(
        "A value that is not one plain word is quoted, and cannot begin another line",
        arguments: [
            ("plain", "plain"), ("", "\"\""), ("two words", "\"two words\""), ("a=b", "\"a=b\""), ("say \"x\"", "\"say \\\"x\\\"\""),
            ("back\\slash", "\"back\\\\slash\""), ("a\nlevel=error", "\"a\\nlevel=error\""), ("\u{1B}[31m", "\"\\u{1b}[31m\""),
            ("\u{2028}", "\"\\u{2028}\""), ("é", "é"),
        ])
    func quoting(_ value: String, _ written: String) {
        var logfmt = Logfmt()
        logfmt.append("k", value)
        #expect(logfmt.line == "k=" + written)
    }
}

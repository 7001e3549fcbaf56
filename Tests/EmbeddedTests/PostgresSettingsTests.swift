import HangGuard
import Testing

@testable import Embedded

@Suite("The embedded database's own texts", .guarded)
struct PostgresSettingsTests {
    @Test("A socket folder with a quote in its name is escaped")
    func escaping() {
        #expect(PostgresSettings(port: 5, socketFolder: "/a'b").text.contains("unix_socket_directories = '/a''b'\n"))
    }

    @Test(
        "postmaster.pid gives the process and whether it is ready",
        arguments: [
            ("857\n/d\n1795476603\n54999\n/s\n127.0.0.1\n 16352108         9\nready   \n", 857, true),
            ("857\n/d\n1795476603\n54999\n/s\n127.0.0.1\n 16352108         9\nstarting\n", 857, false), ("857\n/d\n", 857, false),
        ] as [(String, Int32, Bool)])
    func postmaster(_ text: String, _ process: Int32, _ isReady: Bool) {
        let file = PostmasterFile(text)
        #expect(file?.process == process)
        #expect(file?.isReady == isReady)
    }

    @Test("A damaged postmaster.pid names no server", arguments: ["", "\n", "x", "-857\n/d\n", "0", "1", "99999999999"])
    func noPostmaster(_ text: String) { #expect(PostmasterFile(text) == nil) }

    @Test("A socket path of 107 bytes is the longest that is used as it is")
    func socketFolder() {
        let tail = "/.s.PGSQL.5432".utf8.count
        let fits = "/" + String(repeating: "a", count: 107 - tail - 1)
        #expect(SocketFolder.choose(in: fits, fallback: "/tmp", port: 5432) == fits)
        let short = SocketFolder.choose(in: fits + "a", fallback: "/tmp", port: 5432)
        #expect(short == "/tmp/hub-" + StableName.of(fits + "a"))
        #expect(short.utf8.count < 40)
    }

    @Test("A stable name is the same in every run")
    func stableName() {
        #expect(StableName.of("") == "cbf29ce484222325")
        #expect(StableName.of("a") == "af63dc4c8601ec8c")
    }
}

import HangGuard
import Testing

@testable import HubClient

@Suite("The hub's address, as tail is given it", .guarded)
struct HubAddressTests {
    @Test(
        "A host, a port and a proxy's prefix are read",
        arguments: [
            ("http://hub.example", "hub.example", 80, ""), ("ws://127.0.0.1:8080/", "127.0.0.1", 8080, ""),
            ("HTTP://[::1]:9/live/", "::1", 9, "/live"), ("http://[::1]", "::1", 80, ""),
        ])
    func accepted(text: String, host: String, port: UInt16, prefix: String) throws {
        let address = try HubAddress(text)
        #expect(address.host == host && address.port == port && address.prefix == prefix)
    }

    @Test("An address that wants encryption is refused, because a token would travel openly", arguments: ["https", "wss", "HTTPS"])
    func encrypted(scheme: String) {
        #expect(throws: HubAddress.Refusal.encrypted) { try HubAddress(scheme + "://hub.example") }
    }

    @Test(
        "What is no address is refused",
        arguments: ["", "hub.example:80", "ftp://hub.example", "http://", "http://a@b", "http://a:0", "http://a:70000", "http://a/?b"])
    func malformed(text: String) {
        #expect(throws: HubAddress.Refusal.malformed) { try HubAddress(text) }
    }
}

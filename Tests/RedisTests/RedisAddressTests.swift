import HangGuard
import Redis
import Testing

@Suite("Addresses of Redis", .guarded)
struct RedisAddressTests {
    @Test(
        "an address has a host, and may have a port and an account",
        arguments: [
            ("redis://cache", "cache", Int32(6379), nil, nil),
            ("redis://cache:7000/", "cache", 7000, nil, nil),
            ("redis://:secret@cache", "cache", 6379, nil, "secret"),
            ("redis://secret@cache", "cache", 6379, nil, "secret"),
            ("redis://hub:a%40b%3Ac@10.0.0.1:1", "10.0.0.1", 1, "hub", "a@b:c"),
            ("redis://hub:p@ss@[::1]:65535", "::1", 65_535, "hub", "p@ss"),
        ] as [(String, String, Int32, String?, String?)])
    func accepted(_ text: String, _ host: String, _ port: Int32, _ user: String?, _ password: String?) throws {
        let address = try RedisAddress(text)
        #expect((address.host, address.port) == (host, port))
        #expect(address.user == user)
        #expect(address.password == password)
        #expect(!address.shown.contains("@"))
    }

    @Test(
        "an address that cannot be meant is refused with the reason",
        arguments: [
            ("cache:6379", "expected redis://"), ("http://cache", "expected redis://"), ("rediss://cache", "TLS"),
            ("redis://cache/2", "names a database"), ("redis://", "names no host"), ("redis://:pass@:6379", "names no host"),
            ("redis://cache:0", "port"), ("redis://cache:70000", "port"), ("redis://cache:x", "port"), ("redis://u:%zz@cache", "percent"),
            ("redis://[::1]7", "behind the ]"),
        ])
    func refused(_ text: String, _ reason: String) {
        #expect {
            try RedisAddress(text)
        } throws: { "\($0)".contains(reason) }
    }
}

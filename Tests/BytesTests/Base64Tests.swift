import Bytes
import HangGuard
import Testing

@Suite("base64url (RFC 4648 §5, RFC 7515 §2)", .guarded)
struct Base64URLTests {
    /// RFC 4648 §10, padding left out, and RFC 7515 Appendix C.
    static let pairs: [([UInt8], String)] = [
        ([], ""), (Array("f".utf8), "Zg"), (Array("fo".utf8), "Zm8"), (Array("foo".utf8), "Zm9v"), (Array("foob".utf8), "Zm9vYg"),
        (Array("fooba".utf8), "Zm9vYmE"), (Array("foobar".utf8), "Zm9vYmFy"), ([3, 236, 255, 224, 193], "A-z_4ME"),
    ]

    @Test("encodes and decodes the examples", arguments: pairs)
    func bothWays(bytes: [UInt8], text: String) {
        #expect(Base64URL.encode(bytes) == text)
        #expect(Base64URL.decode(text) == bytes)
    }

    @Test("restores texts of every length and byte")
    func everyByte() {
        for count in 0...300 {
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ count) }
            #expect(Base64URL.decode(Base64URL.encode(bytes)) == bytes)
        }
    }

    @Test(
        "refuses texts that are not canonical",
        arguments: [
            "Zg==", "Zm8=", "Zm9v=", "Zm9 v", "Zm9v\n", " Zm9v", "Zm9v\r\n", "Zm9v\t", "A+z/4ME", "Zm9v.", "Z", "Zm9vY", "Zm9v?",
            "Zm9v\u{0}",
            // Set bits after the last byte (RFC 4648 §3.5).
            "Zh", "Zm9", "Zm9vYh", "Zm9vYmF", "__", "Zm9vYmé",
        ])
    func refuses(text: String) {
        #expect(Base64URL.decode(text) == nil)
    }
}

@Suite("base64 (RFC 4648 §4)", .guarded)
struct Base64Tests {
    @Test(
        "encodes and decodes the examples",
        arguments: [
            ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="), ("foobar", "Zm9vYmFy"),
            ("\u{FFFE}~?", "77++fj8="), ("???", "Pz8/"),
        ])
    func bothWays(plain: String, encoded: String) {
        #expect(Base64.encode(Array(plain.utf8)) == encoded)
        #expect(Base64.decode(encoded) == Array(plain.utf8))
    }

    @Test("restores texts of every length and byte")
    func everyByte() {
        for count in 0...300 {
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ count) }
            #expect(Base64.decode(Base64.encode(bytes)) == bytes)
        }
    }

    @Test(
        "refuses texts that are not canonical",
        arguments: [
            "Zg", "Zg=", "Zg===", "Z===", "====", "Zm9v====", "Zh==", "Zm9=", "Zg==Zg==", "Zm=v", "Zm9-", "Zm9_", "Zm9 ", "Zm9v\n", "Zmé=",
        ])
    func refuses(text: String) {
        #expect(Base64.decode(text) == nil)
    }
}

import Auth
import HangGuard
import Testing

@Suite("Compact serialization", .guarded)
struct StructureTests {
    static func good() throws -> [String] {
        try TokenMint.good().text().split(separator: ".").map(String.init)
    }

    @Test("a token has exactly three parts")
    func threeParts() throws {
        let verifier = try TokenMint.verifier()
        let parts = try Self.good()
        let structure: Verdict = .rejected(.malformed(.structure))
        for text in [
            "", ".", "x", parts[0], parts[0] + "." + parts[1], parts.joined(separator: ".") + ".", "." + parts.joined(separator: "."),
            parts.joined(separator: ".") + ".x", parts.joined(separator: "..") + ".", "{\"payload\":\"Zm9v\"}", "a.b.c.d.e",
            String(repeating: ".", count: 8_000),
        ] {
            #expect(verifier.verify(text, now: TokenMint.now) == structure, "\(text)")
        }
    }

    @Test("no part of a token may be empty")
    func emptyParts() throws {
        let verifier = try TokenMint.verifier()
        let parts = try Self.good()
        func verdict(_ parts: [String]) -> Verdict { verifier.verify(parts.joined(separator: "."), now: TokenMint.now) }
        #expect(verdict(["", "", ""]) == .rejected(.malformed(.header)))
        #expect(verdict(["", parts[1], parts[2]]) == .rejected(.malformed(.header)))
        #expect(verdict([parts[0], "", parts[2]]) == .rejected(.badSignature))
        #expect(verdict([parts[0], parts[1], ""]) == .rejected(.badSignature))
    }

    @Test("each part must be canonical base64url", arguments: [" ", "\n", "=", "+", "/", "?", "\u{0}", "é", "%3D"])
    func strictCharacters(stray: String) throws {
        let verifier = try TokenMint.verifier()
        for (place, expected) in [TokenRejection.Part.header, .payload, .signature].enumerated() {
            for atStart in [true, false] {
                var parts = try Self.good()
                parts[place] = atStart ? stray + parts[place] : parts[place] + stray
                #expect(verifier.verify(parts.joined(separator: "."), now: TokenMint.now) == .rejected(.malformed(expected)))
            }
        }
    }

    /// A signature of 32 bytes leaves two unused bits in its last character: four texts, one meaning, one accepted.
    @Test("one signature has only one text")
    func unusedBits() throws {
        let verifier = try TokenMint.verifier()
        let token = try TokenMint.good().text()
        let last = try #require(token.last)
        var accepted = 0
        for character in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_" {
            let verdict = verifier.verify(String(token.dropLast()) + String(character), now: TokenMint.now)
            if case .accepted = verdict {
                accepted += 1
                #expect(character == last)
            }
        }
        #expect(accepted == 1)
    }

    @Test("every truncated token is refused")
    func everyCut() throws {
        let verifier = try TokenMint.verifier()
        let token = try TokenMint.good().text()
        for count in 0..<token.utf8.count {
            if case .accepted = verifier.verify(String(token.prefix(count)), now: TokenMint.now) {
                Issue.record("accepted the first \(count) bytes")
            }
        }
    }

    @Test("a token beyond the size limit is refused without reading it")
    func tooLarge() throws {
        var policy = TokenMint.policy()
        let token = try TokenMint.good().text()
        policy.maximumBytes = token.utf8.count
        guard case .accepted = try TokenMint.verifier(policy).verify(token, now: TokenMint.now) else {
            Issue.record("refused at the limit")
            return
        }
        policy.maximumBytes -= 1
        #expect(try TokenMint.verifier(policy).verify(token, now: TokenMint.now) == .rejected(.tooLarge))
        #expect(try TokenMint.verifier().verify(String(repeating: "a", count: 8_193), now: TokenMint.now) == .rejected(.tooLarge))
    }
}

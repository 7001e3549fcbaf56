import HTTP
import Testing
import WSProtocol

/// What the server answers to these offers: its response's extension, or "declined".
func negotiate(_ offers: String..., policy: DeflatePolicy? = DeflatePolicy()) throws -> String {
    var handshakePolicy = HandshakePolicy()
    handshakePolicy.deflate = policy
    let agreed = try agreement(handshake(offers.map { "Sec-WebSocket-Extensions: \($0)" }), handshakePolicy)
    let head = String(decoding: agreed.responseHead, as: UTF8.self)
    let line = head.split(separator: "\r\n").first { $0.hasPrefix("Sec-WebSocket-Extensions: ") }
    #expect((line == nil) == (agreed.deflate == nil))
    return line.map { String($0.dropFirst("Sec-WebSocket-Extensions: ".count)) } ?? "declined"
}

@Suite("RFC 7692 §7.1: negotiating permessage-deflate")
struct DeflateNegotiationTests {
    static let plain = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"

    private static let declined = "declined"

    /// Offers, and what the answer has beside the two takeover parameters.
    static let answered: [(String, String)] = [
        ("permessage-deflate", ""),
        ("permessage-deflate; client_max_window_bits", ""),
        ("permessage-deflate; client_max_window_bits=15", "client_max_window_bits=15"),
        ("permessage-deflate; client_max_window_bits=10", "client_max_window_bits=10"),
        ("permessage-deflate; client_max_window_bits=8", "client_max_window_bits=8"),
        ("permessage-deflate; client_max_window_bits=\"10\"", "client_max_window_bits=10"),
        ("permessage-deflate; server_max_window_bits=15", "server_max_window_bits=15"),
        ("permessage-deflate; server_max_window_bits=9", "server_max_window_bits=9"),
        ("permessage-deflate;server_no_context_takeover;client_no_context_takeover", ""),
        ("  permessage-deflate ; server_max_window_bits = 12 ", "server_max_window_bits=12"),
        (", permessage-deflate ,", ""),
        ("x-webkit-deflate-frame, permessage-deflate", ""),
        // zlib cannot compress with a window of 8 bits: the next offer is taken, or none.
        ("permessage-deflate; server_max_window_bits=8", declined),
        ("permessage-deflate; server_max_window_bits=8, permessage-deflate", ""),
        ("permessage-deflate; server_max_window_bits=8, permessage-deflate; server_max_window_bits=9", "server_max_window_bits=9"),
        // What an offer may not say (§7.1.2).
        ("permessage-deflate; server_max_window_bits", declined),
        ("permessage-deflate; server_max_window_bits=16", declined),
        ("permessage-deflate; server_max_window_bits=7", declined),
        ("permessage-deflate; server_max_window_bits=010", declined),
        ("permessage-deflate; server_max_window_bits=9x", declined),
        ("permessage-deflate; client_max_window_bits=7", declined),
        ("permessage-deflate; client_max_window_bits=256", declined),
        ("permessage-deflate; server_no_context_takeover=1", declined),
        ("permessage-deflate; client_no_context_takeover=true", declined),
        ("permessage-deflate; client_no_context_takeover; client_no_context_takeover", declined),
        ("permessage-deflate; server_max_window_bits=9; server_max_window_bits=9", declined),
        ("permessage-deflate; unknown", declined),
        ("permessage-deflate; unknown, permessage-deflate; client_max_window_bits=9", "client_max_window_bits=9"),
        ("Permessage-Deflate", declined), ("deflate", declined),
    ]

    @Test(arguments: answered)
    func offersAreAnswered(offer: String, beside: String) throws {
        let response = beside == Self.declined ? beside : ([Self.plain] + (beside.isEmpty ? [] : [beside])).joined(separator: "; ")
        #expect(try negotiate(offer) == response)
    }

    @Test func severalLinesAreOneList() throws {
        #expect(try negotiate("permessage-deflate; server_max_window_bits=8", "permessage-deflate") == Self.plain)
    }

    @Test(arguments: [
        "permessage-deflate;", "permessage-deflate; =9", "permessage-deflate; server_max_window_bits=", ";", "permessage deflate",
        "permessage-deflate; server_max_window_bits=\"", "permessage-deflate; server_max_window_bits=\"\"",
        "permessage-deflate; server_max_window_bits=\"1 5\"", "permessage-deflate; server_max_window_bits=\"15", "permessage-deflate x",
        "permessage-deflate; a=b c", "(permessage-deflate)",
    ])
    func whatBreaksTheGrammarIsRefused(offer: String) throws {
        #expect(try answer(handshake(["Sec-WebSocket-Extensions: \(offer)"])) == .reject(.malformedExtensions))
    }

    @Test func offersAreBounded() throws {
        let many = (0...16).map { "x\($0)" }.joined(separator: ",")
        #expect(try answer(handshake(["Sec-WebSocket-Extensions: \(many)"])) == .reject(.tooManyExtensions))
    }

    @Test func compressionCanBeOff() throws {
        #expect(try negotiate("permessage-deflate", policy: nil) == "declined")
    }

    @Test func takeoverIsAnOption() throws {
        var policy = DeflatePolicy()
        policy.serverContextTakeover = true
        policy.clientContextTakeover = true
        #expect(try negotiate("permessage-deflate", policy: policy) == "permessage-deflate")
        #expect(
            try negotiate("permessage-deflate; server_no_context_takeover", policy: policy)
                == "permessage-deflate; server_no_context_takeover")
        #expect(
            try negotiate("permessage-deflate; client_no_context_takeover", policy: policy)
                == "permessage-deflate; client_no_context_takeover")
    }

    @Test func windowsCanBeLimited() throws {
        var policy = DeflatePolicy()
        policy.serverMaxWindowBits = 11
        policy.clientMaxWindowBits = 10
        #expect(try negotiate("permessage-deflate", policy: policy) == Self.plain + "; server_max_window_bits=11")
        #expect(
            try negotiate("permessage-deflate; server_max_window_bits=15; client_max_window_bits", policy: policy)
                == Self.plain + "; server_max_window_bits=11; client_max_window_bits=10")
        #expect(
            try negotiate("permessage-deflate; server_max_window_bits=9; client_max_window_bits=9", policy: policy)
                == Self.plain + "; server_max_window_bits=9; client_max_window_bits=9")
    }
}

import HTTP
import HangGuard
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

@Suite("RFC 7692 §7.1: negotiating permessage-deflate", .guarded)
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

@Suite("Browsers that compress with context takeover although they were told not to", .guarded)
struct OldSafariTests {
    static let mac = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/"
    static let phone = "Mozilla/5.0 (iPhone; CPU iPhone OS 15_"

    static let agents: [(agent: String, compresses: Bool)] = [
        (mac + "15.0 Safari/605.1.15", false), (mac + "15.1 Safari/605.1.15", false), (mac + "15.3 Safari/605.1.15", false),
        (mac + "15.2.1 Safari/605.1.15", false), (mac + "15.4 Safari/605.1.15", true), (mac + "15.10 Safari/605.1.15", true),
        (mac + "15.", true), (mac + "14.1 Safari/605.1.15", true), (mac + "16.0 Safari/605.1.15", true),
        (phone + "3_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/97.0 Mobile/15E148 Safari/604.1", false),
        (phone + "5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/97.0 Mobile/15E148 Safari/604.1", true),
        ("Mozilla/5.0 (iPad; CPU OS 15_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) FxiOS/40.0 Mobile/15E148", false),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_3) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0 Safari/537.36", true),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:120.0) Gecko/20100101 Firefox/120.0", true), ("program Version/15.0", true), ("", true),
    ]

    @Test("are served without compression", arguments: agents)
    func declined(agent: String, compresses: Bool) throws {
        let fields = ["User-Agent: \(agent)", "Sec-WebSocket-Extensions: permessage-deflate"]
        var policy = HandshakePolicy()
        policy.deflate = DeflatePolicy()
        #expect((try agreement(handshake(fields), policy).deflate != nil) == compresses)
        // Where every client may take its context over, they do nothing wrong.
        policy.deflate?.clientContextTakeover = true
        #expect(try agreement(handshake(fields), policy).deflate?.clientNoContextTakeover == false)
        policy.deflate = nil
        #expect(try agreement(handshake(fields), policy).deflate == nil)
    }
}

import Bytes
import Linux

/// 128 random bits that a client must know.
struct SessionSecret: Equatable {
    let high: UInt64
    let low: UInt64

    init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    init(random: [UInt8]) {
        func number(_ range: Range<Int>) -> UInt64 { range.reduce(0) { $0 << 8 | UInt64(random[$1]) } }
        self.init(high: number(0..<8), low: number(8..<16))
    }

    /// In constant time: how far a guess is right must not show.
    static func == (a: SessionSecret, b: SessionSecret) -> Bool { (a.high ^ b.high) | (a.low ^ b.low) == 0 }
}

/// How HTTP requests name a session: the loop that owns it, its slot there, and a secret, as 30 characters of base64url.
///
/// Any loop that a request arrives at reads from it which loop has the session. The session's public id says nothing of it.
package struct SessionCredential: Equatable {
    package let loop: UInt16
    let slot: UInt32
    let secret: SessionSecret

    init(loop: UInt16, slot: UInt32, secret: SessionSecret) {
        self.loop = loop
        self.slot = slot
        self.secret = secret
    }

    package init?(_ text: String) {
        guard text.utf8.count == 30, let bytes = Base64URL.decode(text), bytes.count == 22 else { return nil }
        loop = UInt16(bytes[0]) << 8 | UInt16(bytes[1])
        slot = bytes[2..<6].reduce(0) { $0 << 8 | UInt32($1) }
        secret = SessionSecret(random: Array(bytes[6...]))
    }

    package var text: String {
        var bytes: [UInt8] = []
        for shift in [8, 0] { bytes.append(UInt8(truncatingIfNeeded: loop >> UInt16(shift))) }
        for shift in [24, 16, 8, 0] { bytes.append(UInt8(truncatingIfNeeded: slot >> UInt32(shift))) }
        for half in [secret.high, secret.low] {
            for shift in stride(from: 56, through: 0, by: -8) { bytes.append(UInt8(truncatingIfNeeded: half >> UInt64(shift))) }
        }
        return Base64URL.encode(bytes)
    }
}

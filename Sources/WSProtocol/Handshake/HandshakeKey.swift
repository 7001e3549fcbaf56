import Bytes

/// The nonce of an opening handshake: base64 of 16 bytes (RFC 6455 §4.1, item 7).
struct HandshakeKey: Equatable, Sendable {
    let text: String

    /// nil unless `text` is base64 of exactly 16 bytes.
    init?(_ text: String) {
        guard text.utf8.count == 24, Base64.decode(text)?.count == 16 else { return nil }
        self.text = text
    }

    init(nonce: (UInt64, UInt64)) {
        var bytes: [UInt8] = []
        for word in [nonce.0, nonce.1] {
            for shift in stride(from: 56, through: 0, by: -8) { bytes.append(UInt8(truncatingIfNeeded: word &>> UInt64(shift))) }
        }
        text = Base64.encode(bytes)
    }

    /// RFC 6455 §4.2.2, item 5.4.
    var accept: String {
        let (nonce, constant) = (text.utf8.span, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11".utf8.span)
        let seed = [UInt8](capacity: nonce.count + constant.count) { out in
            for index in nonce.indices { out.append(nonce[index]) }
            for index in constant.indices { out.append(constant[index]) }
        }
        return Base64.encode(SHA1.digest(seed))
    }
}

import Bytes
internal import OpenSSL

/// The text of a one-time ticket: 32 random bytes in base64url. The store keeps only its digest, so that nobody who reads the table can use it.
public enum TicketCode {
    public static let byteCount = 32

    /// - Parameter random: `byteCount` bytes of a source that nobody can guess.
    public static func text(random: [UInt8]) -> String { Base64URL.encode(random) }

    /// The SHA-256 of the ticket's bytes, in base64url; nil: the text is no ticket.
    public static func digest(of text: String) -> String? {
        guard let bytes = Base64URL.decode(text), bytes.count == byteCount else { return nil }
        return Base64URL.encode(Digest.sha256.hash(bytes.span))
    }
}

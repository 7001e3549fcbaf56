/// The limits of one command. The reply to `connect` announces them to the client.
public struct CommandLimits: Equatable, Sendable {
    /// UTF-8 bytes of a message body; a page of text. Larger: `too_large`.
    public var bodyBytes = 8_192
    /// Bytes of the compact text of `data`; it is for references, files go elsewhere. Larger: `too_large`.
    public var dataBytes = 16_384
    /// Numbers in `seqs`; one statement to the store. More: `limit_exceeded`.
    public var setSize = Self.defaultSetSize
    /// Channels in `connect`; more: `limit_exceeded`.
    public var subscriptions = 256
    /// The most entries of one `history` reply and channels of one `conversations` reply; asking for more gives this many.
    public var historyPage = 100
    /// Commands in one message; each may get a reply, so this bounds what one message makes the hub send. More: `limit_exceeded`.
    public var commandsPerMessage = 64

    /// The schema's bound, too: a hub with a lower setting refuses more than the schema says.
    static let defaultSetSize = 1_000
    /// Bytes of a send key. Larger: `bad_request`.
    public static let keyBytes = 64
    /// Bytes of the name of a context. Larger: `bad_request`.
    public static let contextBytes = 255
    /// The largest `id` and `seq`: the largest number that every JSON reader keeps exactly (RFC 7493 §2.2).
    public static let maximumNumber: UInt64 = 1 << 53 - 1

    public init() {}
}

/// Why a line is no command, ready to be answered.
public struct CommandRejection: Error, Equatable, Sendable {
    /// The command's number if it could be read; otherwise the reply says `"re":null`.
    public var id: UInt64?
    public var code: ErrorCode
    /// Names the member and what is accepted.
    public var message: String

    public init(id: UInt64?, _ code: ErrorCode, _ message: String) {
        self.id = id
        self.code = code
        self.message = message
    }
}

/// The limits of commands. The reply to `connect` announces them to the client.
public struct CommandLimits: Equatable, Sendable {
    /// UTF-8 bytes of a message body: about a page of text. Larger: `too_large`.
    public var bodyBytes = 8_192
    /// Bytes of the compact text of `data`; it holds references and no files. Larger: `too_large`.
    public var dataBytes = 16_384
    /// Numbers in `seqs`, which one statement of the store handles. More: `limit_exceeded`.
    public var setSize = Self.defaultSetSize
    /// Channels in `connect`; more: `limit_exceeded`.
    public var subscriptions = 256
    /// Entries in one `history` reply and channels in one `conversations` reply. A larger `limit` counts as this many.
    public var historyPage = 100
    /// Commands in one message. Each may get a reply, so this bounds the output that one message causes. More: `limit_exceeded`.
    public var commandsPerMessage = 64

    /// The bound in the JSON Schema. A hub with a lower setting refuses texts that the schema allows.
    static let defaultSetSize = 1_000
    /// Bytes of a send key. Larger: `bad_request`.
    public static let keyBytes = 64
    /// Bytes of the name of a context. Larger: `bad_request`.
    public static let contextBytes = 255
    /// The largest `id` and `seq`: the largest number that every JSON reader keeps exactly (RFC 7493 §2.2).
    public static let maximumNumber: UInt64 = 1 << 53 - 1

    public init() {}
}

/// The rejection of a line that is not a valid command.
public struct CommandRejection: Error, Equatable, Sendable {
    /// The command's id; nil when the parser could not read it. The reply then contains `"re":null`.
    public var id: UInt64?
    public var code: ErrorCode
    /// The message names the member and the accepted values.
    public var message: String

    public init(id: UInt64?, _ code: ErrorCode, _ message: String) {
        self.id = id
        self.code = code
        self.message = message
    }
}

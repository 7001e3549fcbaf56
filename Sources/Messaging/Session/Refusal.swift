/// The error that the client receives for a command.
public struct Refusal: Error, Equatable, Sendable {
    public let code: ErrorCode
    public let reason: String
    /// The text for the hub's log when the hub or its store failed. The client does not receive it.
    public let fault: String?
    /// When the same command may succeed, of a temporary error; nil: the hub's usual pause.
    public let retryAfter: Duration?

    public init(_ code: ErrorCode, _ reason: String, fault: String? = nil, retryAfter: Duration? = nil) {
        self.code = code
        self.reason = reason
        self.fault = fault
        self.retryAfter = retryAfter
    }
}

extension Refusal {
    /// The refusal for a request that the store did not carry out.
    /// - Parameter reply: a failure, or an answer that the command cannot have led to.
    public init(_ reply: StoreReply, limits: Session.Limits) {
        guard case .failed(let failure) = reply else {
            self.init(.internal, "internal error; the hub's log has the cause", fault: "the store's answer has the wrong kind")
            return
        }
        switch failure {
        case .forbidden: self.init(.forbidden, "not a member of this channel, or not entitled to it")
        case .unavailable, .tooSlow, .cancelled:
            self.init(.unavailable, "the store is unavailable; try again, a send with the same key")
        case .noSuchEntry: self.init(.badRequest, "replyTo: the conversation has no such entry")
        case .notChangeable: self.init(.badRequest, "seq: not a message of yours, or it was deleted")
        case .unanswered:
            self.init(
                .limitExceeded,
                "nobody has answered your \(limits.unanswered) messages in this conversation, which is the most; wait for an answer")
        case .tooManyConversations:
            let (pair, user) = (limits.conversationsOfPair, limits.conversationsOfUser)
            self.init(
                .limitExceeded,
                "with, to: you have \(pair) conversations with this user or \(user) in all, which is the most; use one of them, or leave some"
            )
        case .tooManyBlocks:
            self.init(.limitExceeded, "you have blocked \(limits.blocks) users, which is the most; unblock some")
        case .tooScattered:
            self.init(.limitExceeded, "readAlso would have more than \(Cursor.mostRanges) ranges; use upTo")
        case .refused(let why):
            self.init(.internal, "the store refused the data; the hub's log has the cause", fault: "the store refused the data: \(why)")
        }
    }
}

// What a session does with commands, and with the store's answers to them.
extension Session {
    /// What the driver must do for a command. Exactly one per command.
    public enum Action: Equatable, Sendable {
        case refuse(Refusal)
        /// Check this token (nil: the one that came with the handshake), then `connect` or `refresh`.
        case connect(token: String?, [SubscriptionRequest])
        case refresh(token: String)
        /// Register first, then ask the store.
        case subscribe(Channel, since: Seq?)
        /// The session follows the channel already; with `rewind` the entries after that position are wanted again.
        case restate(Int, rewind: Seq?)
        case unsubscribe(Int)
        /// Ask the store, and give its reply to `answer` with the purpose.
        case store(StoreRequest, Purpose)
        /// Tell the other members that the user is typing; then answer as for `done`.
        case typing(Channel)
        /// Answer with an empty `ok`.
        case done
        case tellTime
    }

    /// What the driver must do when the store has answered. Exactly one per answer.
    public enum Answer: Equatable, Sendable {
        /// The command is carried out; its reply was written if it has an id.
        case told
        case refuse(Refusal)
        /// Ask the store this as well.
        case store(StoreRequest, Purpose)
    }

    /// - Parameters:
    ///   - now: for the pace of typing signals.
    ///   - position: the newest entry this session was sent in a subscription, or said to have; nil while the store has not agreed to it.
    public mutating func receive(
        _ body: ClientCommand.Body, now: Timestamp, limits: Limits, position: (Subscription) -> Seq?
    ) -> Action {
        do throws(Refusal) {
            if case .connect(let connect) = body { return try connect.judge(in: phase) }
            let context = CommandContext(user: try connectedUser(), now: now, limits: limits)
            return try body.judge(in: &self, context, position)
        } catch {
            return .refuse(error)
        }
    }

    /// The store has answered a command.
    /// - Parameters:
    ///   - id: of the command; nil writes no reply.
    ///   - output: gets the reply as one JSON object, when the answer is `told`.
    public func answer(
        _ reply: StoreReply, to purpose: Purpose, re id: UInt64?, limits: Limits, into output: inout [UInt8]
    ) -> Answer {
        interpret(reply, for: purpose, re: id, into: &output) ?? .refuse(Refusal(reply, limits: limits))
    }
}

// The session's interpretation of commands and of the store's replies.
extension Session {
    /// The driver's task for a command: exactly one per command.
    public enum Action: Equatable, Sendable {
        case refuse(Refusal)
        /// Verify the proof (nil: that of the handshake), then connect.
        case connect(IdentityProof?, [SubscriptionRequest])
        case refresh(IdentityProof)
        /// Register the subscription first, so that it misses no entry, then send the request to the store.
        case subscribe(Channel, SubscriptionStart)
        /// The session already follows the channel. Unless it starts at the head, the client wants the entries after that position again.
        case restate(Int, SubscriptionStart)
        case unsubscribe(Int)
        /// Send the request to the store, and pass the reply and the purpose to `answer`.
        case store(StoreRequest, Purpose)
        /// Tell the other members that the user is typing, then answer as for `done`.
        case typing(Channel)
        /// Share the user's presence (nil: not any more), and answer who of the members of followed conversations is there.
        case sharePresence(Presence?)
        /// Answer with an empty `ok`.
        case done
        case tellTime
    }

    /// The driver's task after a reply of the store: exactly one per reply.
    public enum Answer: Equatable, Sendable {
        /// The command has succeeded. Its reply is in the output if the command has an id.
        case told
        case refuse(Refusal)
        /// Send another request to the store.
        case store(StoreRequest, Purpose)
    }

    /// - Parameters:
    ///   - now: the time, which limits the rate of typing signals.
    ///   - epoch: the present history of the store.
    ///   - position: the newest entry that the hub sent in a subscription or the client reported; nil until the store has granted it.
    public mutating func receive(
        _ body: ClientCommand.Body, now: Timestamp, epoch: Epoch? = nil, limits: Limits, position: (Subscription) -> Seq?
    ) -> Action {
        do throws(Refusal) {
            if case .connect(let connect) = body { return try connect.judge(in: phase, limits) }
            let context = CommandContext(user: try connectedUser(), now: now, epoch: epoch, limits: limits)
            return try body.judge(in: &self, context, position)
        } catch {
            return .refuse(error)
        }
    }

    /// Interprets the store's reply to a command.
    /// - Parameters:
    ///   - id: the command's id; with nil the method writes no reply.
    ///   - output: receives the reply as one JSON object when the answer is `told`.
    public func answer(
        _ reply: StoreReply, to purpose: Purpose, re id: UInt64?, limits: Limits, into output: inout [UInt8]
    ) -> Answer {
        interpret(reply, for: purpose, re: id, limits, into: &output) ?? .refuse(Refusal(reply, limits: limits))
    }
}

package import Messaging

/// What the hub tells the others of itself, and who answers what an operator asks. Called on the store's thread, which an implementation must
/// not block.
package protocol NodeReporter: AnyObject, Sendable {
    /// The store adds what it knows itself: bus, journal, schema.
    func state() -> NodeState
    func heard(_ news: NodeNews)
    /// The switches have changed: all of them.
    func switched(_ board: Switchboard)
    /// - Parameter answer: takes a JSON object, once, on any thread.
    func answer(_ question: NodeQuestion, _ answer: @escaping @Sendable (String) -> Void)
}

// The hubs on one database, as they tell each other of themselves.

/// A hub on a database.
public struct NodeIdentity: Equatable, Sendable {
    /// Made anew by each process.
    public var id: String
    public var name: String
    public var version: String
    public init(id: String, name: String, version: String) {
        self.id = id
        self.name = name
        self.version = version
    }
}

/// What a hub does with its sessions.
public enum NodeStage: String, Equatable, Sendable {
    case serving
    /// It takes no new sessions, and ends those that it has.
    case draining
    /// It has no sessions any more, and takes none.
    case drained
}

/// What a hub tells of itself.
public struct NodeState: Equatable, Sendable {
    public var stage = NodeStage.serving
    public var sessions = 0
    /// New sessions a second that it takes from hubs that drain.
    public var takes = 0
    /// Records in Kafka that are not stored yet.
    public var lag: Int?
    /// Since it last read what the others stored.
    public var journalAge: Duration?
    /// How it hears of the others, and whether it does now.
    public var bus = ""
    public var hears = false
    /// The newest schema and the version of the bus that it knows.
    public var schema = 0
    public var codec = ""
    public init() {}
}

/// With each beat a hub says how it is, and what it was asked.
public struct NodeReport: Equatable, Sendable {
    public var node: NodeIdentity
    public var state: NodeState
    public var answers: [NodeAnswer]
    /// The hub ends: the others need not wait to miss it.
    public var isLeaving: Bool
    public init(node: NodeIdentity, state: NodeState = NodeState(), answers: [NodeAnswer] = [], isLeaving: Bool = false) {
        self.node = node
        self.state = state
        self.answers = answers
        self.isLeaving = isLeaving
    }
}

/// What an operator asks of one hub or of all.
public struct NodeQuestion: Equatable, Sendable {
    public enum Kind: String, Equatable, Sendable, CaseIterable {
        /// Which sessions a user has. The subject is the user.
        case sessions
        /// End all sessions and take no new ones. The subject is the time for it in milliseconds, or empty.
        case drain
        /// Take sessions again.
        case undrain
        /// How many people and sessions a switch with this scope concerns. The subject is the scope.
        case reach
    }

    public var id: Int64
    /// nil: a newer version's question.
    public var kind: Kind?
    public var subject: String
    public init(id: Int64, kind: Kind?, subject: String) {
        self.id = id
        self.kind = kind
        self.subject = subject
    }
}

public struct NodeAnswer: Equatable, Sendable {
    public var question: Int64
    /// A JSON object.
    public var text: String
    public init(question: Int64, text: String) {
        self.question = question
        self.text = text
    }
}

/// What a hub learns with each beat.
public struct NodeNews: Equatable, Sendable {
    /// How many other hubs work on the database.
    public var others: Int
    /// New sessions a second that those of them take which serve.
    public var room: Int
    public var questions: [NodeQuestion]
    public init(others: Int, room: Int = 0, questions: [NodeQuestion] = []) {
        self.others = others
        self.room = room
        self.questions = questions
    }
}

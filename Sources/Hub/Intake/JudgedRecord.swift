internal import Kafka
internal import Messaging

/// A record and what is to be done with it.
struct JudgedRecord: Equatable {
    enum Judgement: Equatable {
        case entries([EntryDraft])
        /// Nothing is to be stored; the position moves on. The reason is one of a fixed set.
        case discarded(String)
        /// To be written to the dead-letter topic before the position moves on.
        case dead(DeathCause)
        /// It is in the dead-letter topic.
        case buried
    }

    var record: KafkaRecord
    var judgement: Judgement
    /// How often the store was asked to take it.
    var attempts = 0

    var place: TopicPartition { record.topicPartition }
    var drafts: [EntryDraft] {
        if case .entries(let drafts) = judgement { drafts } else { [] }
    }
}

struct DeathCause: Equatable, Sendable {
    /// One of a fixed set, for counting: `too_large`, `refused`, or the decoder's.
    var reason: String
    /// For the person who reads the dead letter.
    var detail: String?
}

/// What is to be written to the dead-letter topic.
struct Letter: Equatable {
    /// How much of the record is kept. The next lesser form is tried when the topic takes no record of that size.
    enum Form: Int, Equatable, Comparable {
        case whole
        /// The value cut to `DeadLetter.truncatedValueBytes`.
        case truncated
        /// Neither value nor the record's own headers, and at most the beginning of the key.
        case bare
        static func < (a: Form, b: Form) -> Bool { a.rawValue < b.rawValue }
        var lesser: Form? { Form(rawValue: rawValue + 1) }
    }

    var token: UInt64
    var record: KafkaRecord
    var cause: DeathCause
    var attempts: Int
    var form: Form
}

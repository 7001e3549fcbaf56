import Kafka
import Messaging

/// A record and the decision about it.
struct JudgedRecord: Equatable {
    enum Judgement: Equatable {
        case entries([EntryDraft])
        /// Some of its targets exist. It is dead-lettered as `dead`, and then stored as `entries`.
        case partly([EntryDraft], DeathCause)
        /// Nothing is to be stored; the position moves on. The reason is one of a fixed set.
        case discarded(String)
        /// To be written to the dead-letter topic before the position moves on.
        case dead(DeathCause)
        /// It is in the store, in the dead-letter topic, or in both in part. Only its position is to be stored.
        case settled
    }

    var record: KafkaRecord
    var judgement: Judgement
    /// What it takes back, beside the entries that it makes (`entries`, `partly`).
    var taking: [Retraction] = []
    /// What it says about rights, as far as the store has not taken it over.
    var access: [AccessChange] = []
    /// How often the store was asked to take it.
    var attempts = 0

    var partition: TopicPartition { record.topicPartition }
    var drafts: [EntryDraft] {
        switch judgement {
        case .entries(let drafts), .partly(let drafts, _): drafts
        case .discarded, .dead, .settled: []
        }
    }
    var retractions: [Retraction] {
        switch judgement {
        case .entries, .partly: taking
        case .discarded, .dead, .settled: []
        }
    }
    /// Whether the store has more to do with it than to move its position.
    var hasContent: Bool { !drafts.isEmpty || !retractions.isEmpty || !accessChanges.isEmpty }
    var accessChanges: [AccessChange] {
        switch judgement {
        case .entries, .partly: access
        case .discarded, .dead, .settled: []
        }
    }
    /// Why it is to be written to the dead-letter topic.
    var cause: DeathCause? {
        switch judgement {
        case .dead(let cause), .partly(_, let cause): cause
        case .entries, .discarded, .settled: nil
        }
    }
}

extension [JudgedRecord] {
    /// For a request with the drafts of all these records.
    var retractions: [Retraction] {
        var retractions: [Retraction] = []
        var drafts = 0
        for index in indices {
            if !self[index].taking.isEmpty { retractions += self[index].retractions.map { $0.moved(by: drafts) } }
            drafts += self[index].drafts.count
        }
        return retractions
    }
}

struct DeathCause: Equatable, Sendable {
    /// One of a fixed set, for counting: `refused`, `no_such_conversation`, or the decoder's.
    var reason: String
    /// For the person who reads the dead letter.
    var detail: String?
    /// The targets that got no entry, when other targets of the record got theirs.
    var targets: [String] = []
}

/// A record that is to be written to the dead-letter topic.
struct Letter: Equatable {
    /// How much of the record is kept. The next lesser form is tried when the topic takes no record of that size.
    enum Form: Int, Equatable, Comparable {
        case whole
        /// The value cut to `DeadLetter.truncatedValueBytes`.
        case truncated
        /// Neither value nor the record's own headers, and at most the beginning of the key.
        case bare
        package static func < (a: Form, b: Form) -> Bool { a.rawValue < b.rawValue }
        var lesser: Form? { Form(rawValue: rawValue + 1) }
    }

    var token: UInt64
    var record: KafkaRecord
    var cause: DeathCause
    var attempts: Int
    var form: Form
}

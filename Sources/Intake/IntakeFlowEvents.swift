import Kafka
import Messaging

extension IntakeFlow {
    package struct Limits: Equatable, Sendable {
        /// Records gathered behind the request in flight. When there are more, reading stops until it is answered.
        package var gatheredRecords = 1_000
        var gatheredBytes = 8 << 20
        /// Drafts of one request, and bytes of their content (one record may have many recipients). A record with more goes alone.
        var draftsPerRequest = 2_000
        var bytesPerRequest = 4 << 20
        /// Retractions of one request, and drafts and bytes of a request that retracts or has causes, which one transaction stores. A record
        /// with more goes alone.
        var retractionsPerRequest = 100
        var draftsPerTransaction = 1_000
        var bytesPerTransaction = 1 << 20
        /// How often the database may take too long over the same drafts before requests get smaller.
        var slowAnswers = 2
        /// How often the store may refuse a record, at least once alone, before it is dead-lettered.
        package var refusals = 3
        var firstDelay: Duration = .milliseconds(100)
        var longestDelay: Duration = .seconds(5)
        /// After so many ticks of one request the partitions are paused if reading has stopped behind it, and partitions that the group
        /// wants back do not wait for it any longer.
        var timeoutTicks = 4
        package init() {}
    }

    enum Event: Equatable {
        /// - Parameter committed: where the group continues, as far as it is known.
        case assigned([TopicPartition], committed: [NextOffset] = [])
        case revoking([TopicPartition])
        case lost([TopicPartition])
        case read([JudgedRecord])
        case answered(token: UInt64, StoreReply)
        /// The store has connected to the database anew.
        case storeConnected
        /// The consumer has returned, as `.seek` asked, or could not yet.
        case sought([TopicPartition])
        case notSought([TopicPartition])
        /// The store did not take the request.
        case storeFull(token: UInt64)
        case letterWritten(token: UInt64)
        case letterFailed(token: UInt64, KafkaError.Kind)
        case retryDue
        /// Comes regularly. Offsets are committed at this pace.
        case tick
        case committed([CommitResult])
        /// Nothing new begins. What is in flight is still answered.
        case stop
    }

    enum Action: Equatable {
        case submit(token: UInt64, [EntryDraft], [IngestPosition], [Retraction] = [])
        /// Take over what rows grant, before the records of the same batch are stored.
        case changeAccess(token: UInt64, [AccessChange])
        /// Ask the store how far these partitions are stored.
        case check(token: UInt64, [TopicPartition])
        /// Continue reading at the offsets, and say how it went with `sought` or `notSought`.
        case seek([NextOffset])
        case deadLetter([Letter])
        case retry(after: Duration)
        case pause([TopicPartition])
        case resume([TopicPartition])
        case commit([NextOffset])
        /// Follows the commits before it.
        case release([TopicPartition])
        case note(IntakeNote)
    }
}

import Messaging

/// How large a request to the store may be. It shrinks when the database takes too long, and grows back.
struct RequestSize {
    private let limits: IntakeFlow.Limits
    /// Half of what was too slow. It grows back by an eighth with each request that is stored.
    private var drafts: Int
    private var slowAnswers = 0

    init(_ limits: IntakeFlow.Limits) {
        self.limits = limits
        drafts = limits.draftsPerRequest
    }

    /// How many of the records, at least one, make a request.
    ///
    /// A record that retracts a group begins one, and never shares it with the entries before it: when both are read again, these must
    /// be stored again before the retraction, which is carried out only once.
    func fitting(_ records: [JudgedRecord]) -> Int {
        var (drafts, bytes, retractions) = (0, 0, 0)
        var isOneTransaction = false
        for index in records.indices {
            for draft in records[index].drafts {
                drafts += 1
                bytes += draft.content.utf8.count
                if draft.cause != nil { isOneTransaction = true }
            }
            if !records[index].taking.isEmpty {
                isOneTransaction = true
                retractions += records[index].retractions.count
                if index > 0, records[index].retractions.contains(where: \.isOfGroup) { return index }
            }
            guard index > 0 else { continue }
            if drafts > self.drafts || bytes > limits.bytesPerRequest { return index }
            if isOneTransaction,
                retractions > limits.retractionsPerRequest || drafts > limits.draftsPerTransaction || bytes > limits.bytesPerTransaction
            {
                return index
            }
        }
        return records.count
    }

    mutating func stored() {
        slowAnswers = 0
        drafts = min(drafts + max(1, drafts / 8), limits.draftsPerRequest)
    }

    mutating func partlyStored() { slowAnswers = 0 }

    /// The database took too long over a request. A single record cannot be divided.
    mutating func tooSlow(drafts: Int, ofRecords records: Int) {
        slowAnswers += 1
        guard slowAnswers >= limits.slowAnswers else { return }
        slowAnswers = 0
        if records > 1 { self.drafts = max(1, drafts / 2) }
    }
}

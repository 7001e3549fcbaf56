import Bus
import Linux
import Messaging
import Reactor
import StoreAPI
import Telemetry

/// Says every two seconds that this hub works on the database and how it is, learns of the other hubs, and passes on what operators ask.
final class NodeBeat: StoreClient {
    static let interval: Duration = .seconds(2)

    private struct Beating {
        var isAsking = false
        /// Something new is to be told, or to be heard, since the beat that is under way.
        var isAskedAgain = false
        var answers: [NodeAnswer] = []
        /// How many of the answers the beat under way has with it.
        var sent = 0
        /// Questions that are being answered, or whose answer is not stored yet.
        var known: Set<Int64> = []
        var others = 0
    }

    private let front: StoreFront
    private let node: NodeIdentity
    private let beating = Locked(Beating())

    init(_ front: StoreFront, node: NodeIdentity) {
        self.front = front
        self.node = node
    }

    var hasOthers: Bool { beating.withLock { $0.others > 0 } }

    /// - Parameters:
    ///   - state: what the store's thread adds.
    ///   - isUrgent: there is something new; while a beat is under way, another one follows.
    func beat(isUrgent: Bool = false, _ complete: (inout NodeState) -> Void) {
        let answers: [NodeAnswer]? = beating.withLock { beating in
            guard !beating.isAsking else {
                if isUrgent { beating.isAskedAgain = true }
                return nil
            }
            beating.isAsking = true
            beating.isAskedAgain = false
            beating.sent = beating.answers.count
            return beating.answers
        }
        guard let answers else { return }
        let report = NodeReport(node: node, state: state(complete), answers: answers)
        if !front.submit([StoreOrder(request: .beat(report), client: self, token: 0)]) { beating.withLock { $0.isAsking = false } }
    }

    /// The last beat, which the store still takes after it was told to stop.
    func leave() {
        let order = StoreOrder(request: .beat(NodeReport(node: node, isLeaving: true)), client: self, token: 1)
        _ = front.submit([order], isLast: true)
    }

    private func state(_ complete: (inout NodeState) -> Void) -> NodeState {
        var state = front.reporter?.state() ?? NodeState()
        complete(&state)
        state.schema = Migration.all.count
        state.codec = "\(BusCodec.major).\(BusCodec.minor)"
        return state
    }

    func deliver(_ outcomes: [StoreOutcome]) {
        for outcome in outcomes where outcome.token == 0 {
            var news: NodeNews?
            var isAskedAgain = false
            beating.withLock { beating in
                beating.isAsking = false
                isAskedAgain = beating.isAskedAgain
                guard case .nodes(var heard) = outcome.reply else { return }
                for answer in beating.answers.prefix(beating.sent) { beating.known.remove(answer.question) }
                beating.answers.removeFirst(beating.sent)
                heard.questions.removeAll { !beating.known.insert($0.id).inserted }
                beating.others = heard.others
                news = heard
            }
            guard let news else { continue }
            front.statistics.nodes.set(Int64(news.others + 1))
            pass(news)
            if isAskedAgain { _ = front.signals.post(.beat) }
        }
    }

    private func pass(_ news: NodeNews) {
        front.reporter?.heard(news)
        for question in news.questions {
            guard let reporter = front.reporter, question.kind != nil else {
                answer(question, #"{"error":"this version of the hub does not know the question"}"#)
                continue
            }
            reporter.answer(question) { [weak self] text in self?.answer(question, text) }
        }
    }

    private func answer(_ question: NodeQuestion, _ text: String) {
        beating.withLock { $0.answers.append(NodeAnswer(question: question.id, text: text)) }
        // When there is no room for it, the next beat takes the answer along.
        _ = front.signals.post(.beat)
    }
}

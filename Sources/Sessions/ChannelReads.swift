import Messaging
import Reactor
import Telemetry

/// Reads entries of a channel once for all sessions of the loop that follow it: those that another hub stored, and those that are missing
/// before one that came over the bus. Otherwise ten thousand sessions would each read the same page.
final class ChannelReads {
    private let state: LoopState
    private let gateway: StoreGateway
    private let replay: Replay
    /// Brings entries to the sessions, as if they had come over the bus.
    var found: ([Entry]) -> Void = { _ in }
    /// The channels that are being read, each with the newest entry that is wanted.
    private var wanted: [Channel: Seq] = [:]

    init(_ state: LoopState, gateway: StoreGateway, replay: Replay) {
        self.state = state
        self.gateway = gateway
        self.replay = replay
    }

    /// Reads the entries after those that came, up to this one at least.
    func read(_ channel: Channel, upTo last: Seq) {
        guard let newest = state.fanOut.newest(in: channel, before: last) else { return }
        if let known = wanted[channel] {
            wanted[channel] = max(known, last)
            return
        }
        wanted[channel] = last
        order(channel, after: newest)
    }

    private func order(_ channel: Channel, after start: Seq) {
        gateway.order(
            .page(channel, after: start, before: nil, limit: state.limits.session.historyPage), forAllOf: channel, after: start)
    }

    func complete(_ channel: Channel, after start: Seq, _ reply: StoreReply) {
        guard let last = wanted.removeValue(forKey: channel) else { return }
        guard case .page(let entries, _, let more) = reply else { return replay.missed(channel) }
        state.metrics.readForAll.add(UInt64(entries.count))
        found(entries)
        // Without entries there is nothing to come to: retention has removed them.
        guard let newest = entries.last?.seq, more || newest < last, state.fanOut.roster(of: channel) != nil else { return }
        wanted[channel] = last
        order(channel, after: newest)
    }
}

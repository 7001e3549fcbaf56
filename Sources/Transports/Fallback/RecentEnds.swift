import Linux
package import Reactor

/// What the clients of ended sessions have not been told: the session ended between two polls, or while its stream was interrupted. Kept for
/// 30 to 60 seconds; for less time when more than 4 096 sessions end meanwhile.
package final class RecentEnds {
    private static let kept: Duration = .seconds(30)
    private static let most = 4_096

    private unowned let loop: EventLoop
    /// `bye` frames by credential.
    private var young: [String: [UInt8]] = [:]
    private var old: [String: [UInt8]] = [:]
    private var renewed: MonotonicInstant

    package init(loop: EventLoop) {
        self.loop = loop
        renewed = loop.now
    }

    func keep(_ bye: [UInt8], for credential: String) {
        age()
        young[credential] = bye
    }

    /// Whether the client of this session has still to be told why it ended.
    func has(_ credential: String) -> Bool {
        age()
        return young[credential] != nil || old[credential] != nil
    }

    /// Told once.
    func take(_ credential: String) -> [UInt8]? {
        age()
        return young.removeValue(forKey: credential) ?? old.removeValue(forKey: credential)
    }

    private func age() {
        guard loop.now - renewed >= Self.kept || young.count >= Self.most else { return }
        old = loop.now - renewed >= Self.kept * 2 ? [:] : young
        young = [:]
        renewed = loop.now
    }
}

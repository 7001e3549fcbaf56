import Linux
package import Reactor

/// What the clients of ended sessions have not been told: the session ended between two polls, or while its stream was interrupted. Kept for
/// half a minute at least, and bounded.
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

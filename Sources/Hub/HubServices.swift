import Bus
import Messaging
import Sessions
import StoreAPI
import Synchronization

/// The services that the sessions of all loops share: the store, the bus and the key source.
final class HubServices: SessionServices {
    let bus: any Bus
    let store: any StoreDesk
    let node: String
    let features: [String]
    private let requestKeyFrom: @Sendable (String?) -> Void

    init(
        node: String, bus: any Bus, store: any StoreDesk, limits: Session.Limits, requestKey: @escaping @Sendable (String?) -> Void
    ) {
        self.node = node
        self.bus = bus
        self.store = store
        features = Feature.allCases.filter(limits.has).map(\.rawValue)
        requestKeyFrom = requestKey
    }

    func makeSessionIDs() -> [String] { SessionIDs.make() }

    func requestKey(_ kid: String?) { requestKeyFrom(kid) }
}

import Synchronization

/// A yes or no that one thread sets and others read.
package final class AtomicFlag: Sendable {
    private let value = Atomic<Bool>(false)
    package init() {}
    package func set(_ new: Bool) { value.store(new, ordering: .relaxed) }
    package var isSet: Bool { value.load(ordering: .relaxed) }
}

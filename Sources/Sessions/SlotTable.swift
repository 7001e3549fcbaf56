/// Values under tokens it gives out itself: an index instead of a hash. A token is good for one removal; afterwards it finds nothing,
/// though its slot is used again.
struct SlotTable<Value> {
    private struct Slot {
        var generation: UInt32 = 0
        var value: Value?
    }

    private var slots: [Slot] = []
    private var free: [UInt32] = []

    var count: Int { slots.count - free.count }

    mutating func insert(_ value: Value) -> UInt64 {
        let index: UInt32
        if let reused = free.popLast() {
            index = reused
        } else {
            index = UInt32(truncatingIfNeeded: slots.count)
            slots.append(Slot())
        }
        slots[Int(index)].value = value
        return UInt64(slots[Int(index)].generation) << 32 | UInt64(index)
    }

    mutating func remove(_ token: UInt64) -> Value? {
        let index = Int(UInt32(truncatingIfNeeded: token))
        guard index < slots.count, slots[index].generation == UInt32(truncatingIfNeeded: token >> 32) else { return nil }
        // Exchanged, for `take()` copies what it takes.
        var value: Value?
        swap(&value, &slots[index].value)
        guard value != nil else { return nil }
        slots[index].generation &+= 1
        free.append(UInt32(truncatingIfNeeded: index))
        return value
    }

    /// The tokens of the values that meet the condition.
    func tokens(where condition: (Value) -> Bool) -> Set<UInt64> {
        var tokens: Set<UInt64> = []
        for index in slots.indices {
            guard let value = slots[index].value, condition(value) else { continue }
            tokens.insert(UInt64(slots[index].generation) << 32 | UInt64(index))
        }
        return tokens
    }

    /// Changes the value in its slot; nothing when the token is stale.
    mutating func change(_ token: UInt64, _ body: (inout Value) -> Void) {
        let index = Int(UInt32(truncatingIfNeeded: token))
        guard index < slots.count, slots[index].generation == UInt32(truncatingIfNeeded: token >> 32), slots[index].value != nil else {
            return
        }
        body(&slots[index].value!)
    }
}

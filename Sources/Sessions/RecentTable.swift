/// Values under keys that were used lately. A value that was used in none of the last two periods is forgotten, so the table is as large as
/// the number of those who are active, and forgetting costs no search.
struct RecentTable<Key: Hashable, Value> {
    private var fresh: [Key: Value] = [:]
    private var older: [Key: Value] = [:]
    private let most: Int

    /// - Parameter most: values of one period; beyond it the next period begins early.
    init(most: Int = 65_536) { self.most = most }

    var isEmpty: Bool { fresh.isEmpty && older.isEmpty }
    var count: Int { fresh.count + older.count }

    /// Changes the value of a key, or a new one.
    mutating func change<Result>(_ key: Key, orNew new: @autoclosure () -> Value, _ body: (inout Value) -> Result) -> Result {
        if let index = fresh.index(forKey: key) { return body(&fresh.values[index]) }
        if fresh.count >= most { beginPeriod() }
        var value = (older.isEmpty ? nil : older.removeValue(forKey: key)) ?? new()
        let result = body(&value)
        fresh[key] = value
        return result
    }

    /// The value of a key, which is not kept longer for it.
    subscript(key: Key) -> Value? { fresh[key] ?? older[key] }

    mutating func beginPeriod() {
        older = fresh
        fresh = [:]
    }
}

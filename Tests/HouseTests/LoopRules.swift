/// What keeps an event loop turning: it waits for nobody, takes no lock on a frame's way, and holds no more than it was given.
extension Rule {
    static let loopsDoNotWait = eachFile("only threads that may wait make calls that wait") { file, house in
        guard file.isSource, file.isSwift, let target = house.targets[file.target], target.owns == nil, target.blocks == nil
        else { return [] }
        return file.code.indices.compactMap { index in
            House.blockingCalls.first { call in file.code[index...].prefix(call.count).map(\.text) == call }
                .map { (file.code[index].line, "'\($0.joined())' waits") }
        }
    }

    static let locksAreKnown = eachFile("a lock is only where the table says what for") { file, house in
        guard file.isSource, house.targets[file.target]?.locks == nil else { return [] }
        let locks: Set<String> = ["Mutex", "Locked", "NSLock", "NSRecursiveLock", "DispatchSemaphore", "os_unfair_lock"]
        return file.code.filter { locks.contains($0.text) }.map { ($0.line, "'\($0.text)'") }
    }

    /// A `Mailbox` cannot be made without its capacity; these can, or hide one.
    static let queuesAreMailboxes = eachFile("between threads there are only mailboxes") { file, _ in
        guard file.isSource else { return [] }
        let unbounded: Set<String> = ["AsyncStream", "AsyncThrowingStream", "AsyncChannel", "DispatchQueue", "OperationQueue"]
        return file.code.filter { unbounded.contains($0.text) }.map { ($0.line, "'\($0.text)' has no bound") }
    }

    static let memoryIsNotSizedByAPeer = eachFile("memory is asked for by a number only where the table says whose it is") { file, house in
        // The wrappers of C libraries copy what is there; zlib's is among those that see what a peer wrote.
        guard file.isSource, file.isSwift, house.targets[file.target]?.owns == nil || file.target == "Zlib",
            House.sizedAllocations[file.path] == nil
        else { return [] }
        let sized: Set<String> = ["reserveCapacity", "addingCapacity", "unsafeUninitializedCapacity", "minimumCapacity"]
        return file.code.indices.compactMap { index in
            let isFilled = file.code[index...].prefix(3).map(\.text) == ["]", "(", "repeating"]
            return sized.contains(file.code[index].text) || isFilled ? (file.code[index].line, "sized by a number") : nil
        }
    }
}

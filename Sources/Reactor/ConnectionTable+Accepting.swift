public import Linux

extension ConnectionTable {
    /// Takes connections from a listening socket, which now belongs to the table.
    public func listen(on fd: Int32) throws(SystemError) {
        let watch = try loop.watch(fd, acceptRetry == nil ? .readable : []) { [unowned self] _ in accept(fd) }
        listeners.append((fd, watch))
    }

    public func stopListening() {
        for listener in listeners {
            loop.unwatch(listener.watch)
            Socket.close(listener.fd)
        }
        listeners.removeAll()
    }

    private func accept(_ listener: Int32) {
        var left = limits.acceptsPerTurn
        while left > 0 {
            left -= 1
            if store.living >= limits.maximum + limits.reserve {
                guard limits.reserve > 0, makeRoom() else { return pauseAccepting() }
                // One was spared for the connection that is waiting; whether more are waiting is not known.
                left = 0
            }
            switch faults?.accept() ?? Socket.accept(listener) {
            case .none: return
            case .connection(let fd, let peer):
                _ = makeRoom()
                _ = adopt(fd, peer: peer)
            case .failed(let error):
                store.statistics.acceptFailures &+= 1
                switch error.errno {
                case SystemError.tooManyInProcess, SystemError.tooManyInSystem, SystemError.noMemory, SystemError.noBuffers:
                    return pauseAccepting()
                default:
                    // This peer left before the accept; the next connection may be fine.
                    continue
                }
            }
        }
    }

    /// Whether there is room for one more connection, or one could be spared for it.
    public func makeRoom() -> Bool {
        if store.living < limits.maximum { return true }
        guard let id = driver.spare() else { return false }
        store.statistics.spared &+= 1
        store.close(id, .now)
        return true
    }

    /// Whether a connection beyond the maximum has a place meanwhile, or another one could be spared for it.
    public func makeRoom(for id: ConnectionID) -> Bool {
        if store.living <= limits.maximum { return true }
        guard let other = driver.spare(), other != id else { return false }
        store.statistics.spared &+= 1
        store.close(other, .now)
        return true
    }

    /// More connections than the maximum are open: the newest is one of the reserve.
    public var isOverMaximum: Bool { store.living > limits.maximum }

    /// Without free descriptors epoll would report the listener in every turn, so accepting pauses until a descriptor is closed or
    /// a short time has passed.
    private func pauseAccepting() {
        guard acceptRetry == nil else { return }
        store.statistics.acceptPauses &+= 1
        for listener in listeners { loop.change(listener.watch, []) }
        acceptRetry = loop.after(limits.acceptPause) { [weak self] in self?.resumeAccepting() }
    }

    /// The next attempt shows whether there is room again.
    func resumeAccepting() {
        guard let retry = acceptRetry else { return }
        loop.cancel(retry)
        acceptRetry = nil
        for listener in listeners { loop.change(listener.watch, .readable) }
    }
}

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
        for _ in 0..<limits.acceptsPerTurn {
            guard count < limits.maximum else { return pauseAccepting() }
            switch faults?.accept() ?? Socket.accept(listener) {
            case .none: return
            case .connection(let fd, let peer): _ = adopt(fd, peer: peer)
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

package import Auth
package import Messaging
import Telemetry

package enum IssuedTicket {
    case issued(String, life: Duration)
    case refused(ErrorCode, reason: String)
}

// One-time tickets: an authenticated HTTP request gets one, and the socket of the same browser shows it, which cannot send the request's header
// fields.
extension Authentication {
    /// Calls `done` once, when the ticket is stored.
    /// - Parameter wait: until the user may have another one; nil: now.
    func issue(for credential: Credential, wait: (UserID) -> Duration?, _ done: @escaping (IssuedTicket) -> Void) {
        func refuse(_ code: ErrorCode, _ reason: String, _ label: String) {
            state.metrics.tokensRejected.add(label)
            done(.refused(code, reason: reason))
        }
        switch principal(of: credential) {
        case nil: refuse(.unavailable, "token: its key is not known yet; the keys are being fetched", "key_unavailable")
        case .failure(let rejection):
            refuse(rejection == .expired ? .tokenExpired : .invalidToken, "token: \(rejection.name)", rejection.name)
        case .success(let principal):
            guard let identity = identity(of: principal) else {
                return refuse(.invalidToken, "token: the subject is empty, too long or has control characters", "malformed_claim")
            }
            guard revocation.fences.holdingBack(identity, now: state.now) == nil else {
                return refuse(
                    .tokenRevoked, "token: it was issued before the end of its login, or before a change of the user's rights", "fenced")
            }
            guard wait(identity.user) == nil else {
                state.metrics.rateLimited.add("tickets")
                return done(.refused(.rateLimited, reason: "this user has asked for too many tickets, or sent too much"))
            }
            let text = TicketCode.text(random: SessionIDs.randomBytes(TicketCode.byteCount))
            guard let digest = TicketCode.digest(of: text) else { return done(.refused(.internal, reason: "no ticket could be made")) }
            let life = state.limits.ticketLife
            gateway.order(.keepTicket(digest, identity, life: life)) { [state] reply in
                guard case .ticketKept = reply else {
                    return done(.refused(.unavailable, reason: "the ticket could not be stored; ask for another one"))
                }
                state.metrics.tickets.add("issued")
                done(.issued(text, life: life))
            }
        }
    }

    func take(_ ticket: String, _ live: LiveSession, _ origin: CommandOrigin, _ use: Use) {
        guard let digest = TicketCode.digest(of: ticket) else { return refuseTicket(live, origin) }
        if use.isConnect { live.session.awaitKeys() }
        gateway.order(.takeTicket(digest), for: live, origin, .ticket(use))
    }

    /// - Parameter identity: nil: there is no such ticket.
    func took(_ identity: Identity?, _ use: Use, _ live: LiveSession, _ origin: CommandOrigin) {
        guard !live.isEnding else { return }
        if use.isConnect { _ = live.session.abandonConnect() }
        guard let identity else { return refuseTicket(live, origin) }
        state.metrics.tickets.add("used")
        _ = accept(identity, live, origin, use)
    }

    private func refuseTicket(_ live: LiveSession, _ origin: CommandOrigin) {
        state.metrics.tickets.add("refused")
        reject(live, origin, .invalidToken, "ticket: there is none like this; it may have been used, or have expired: get another one")
    }
}

extension SessionLoop {
    /// Whether a gateway signs contexts for this hub.
    package var takesContexts: Bool { authentication.contexts != nil }

    /// Whether the credential is valid and the session's user's; nil when its key is not known yet.
    package func isCredential(_ credential: Credential, of id: SessionID) -> Result<Bool, TokenRejection>? {
        guard let user = state.table[id]?.session.identity?.user else { return .success(false) }
        return authentication.isCredential(credential, of: user)
    }

    package func issueTicket(for credential: Credential, _ done: @escaping (IssuedTicket) -> Void) {
        authentication.issue(for: credential, wait: paces.waitForTicket, done)
    }
}

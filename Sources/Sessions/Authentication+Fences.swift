import Auth
package import Messaging
import Pacing
import Telemetry

package enum FenceOutcome {
    case fenced
    case refused(ErrorCode, reason: String)
}

/// The two kinds of tokens by which an identity provider tells that a login or rights have ended.
package enum NoticeKind: String {
    case logout
    case securityEvent = "security-event"
}

// The ends of logins and rights.
extension Authentication {
    /// Judges a token of the identity provider that ends logins or rights, and calls `done` once, when the fence is stored.
    func fence(_ token: [UInt8], _ kind: NoticeKind, _ done: @escaping (FenceOutcome) -> Void) {
        let reader = SecurityEventReader(verifier.policy)
        let now = state.now.milliseconds / 1_000
        let event: SecurityEvent
        do throws(TokenRejection) {
            event =
                switch kind {
                case .logout: try reader.logout(token.span, keys: verifier.keys, now: now)
                case .securityEvent: try reader.securityEvent(token.span, keys: verifier.keys, now: now)
                }
        } catch .unknownKey {
            // The provider sends it again. Until the keys are known, no token of it counts either.
            state.services.requestKey(nil)
            state.metrics.notices.add("key_unavailable")
            return done(.refused(.unavailable, reason: "the token's key is not known; the keys are being fetched"))
        } catch {
            state.metrics.notices.add(error.name)
            return done(.refused(.invalidToken, reason: "the token is refused: \(error.name)"))
        }
        let reason: Fence.Reason
        switch event.effect {
        case .none:
            state.metrics.notices.add("without_effect")
            return done(.fenced)
        case .revoked: reason = .revoked
        case .rightsChanged: reason = .privileges
        }
        let issuedAt = Timestamp(milliseconds: event.issuedAt * 1_000)
        let expiry = Timestamp(milliseconds: state.now.milliseconds + Fence.life(sessionLife: state.limits.life).wholeMilliseconds)
        var user: UserID?
        if let subject = event.subject {
            user = UserID(subject)
            guard user != nil else { return done(.refused(.badRequest, reason: "the token's subject is no user")) }
        }
        guard
            let fence = Fence(
                user: user, login: event.login.map { LoginMark($0) }, reason: reason, issuedUpTo: issuedAt, expiresAt: expiry)
        else { return done(.refused(.badRequest, reason: "the token names neither a user nor a login")) }
        gateway.order(.fence(FenceNotice(fence, key: event.id, source: kind.rawValue))) { [state] reply in
            guard case .fenced = reply else {
                return done(.refused(.unavailable, reason: "the end of the login could not be stored; send it again"))
            }
            state.metrics.notices.add("accepted")
            done(.fenced)
        }
    }

    /// Some hub stored a fence, or this one has read it.
    func hear(_ fence: Fence) {
        guard revocation.fences.note(fence, now: state.now) else { return }
        let concerned: [SessionID]
        if let user = fence.user {
            concerned = state.table.users.sessions(of: user)
        } else {
            concerned = state.table.all.map(\.id)
        }
        let ending = concerned.filter { id in state.table[id]?.session.identity.map(fence.holdsBack) ?? false }
        guard !ending.isEmpty else { return }
        state.metrics.fenced.add(UInt64(ending.count))
        revocation.revoke(ending, fence.endReason)
    }
}

extension SessionLoop {
    package func fence(_ token: [UInt8], _ kind: NoticeKind, _ done: @escaping (FenceOutcome) -> Void) {
        authentication.fence(token, kind, done)
    }
}

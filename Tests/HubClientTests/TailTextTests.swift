import HangGuard
import Testing

@testable import HubClient

@Suite("The readable form of hub tail", .guarded)
struct TailTextTests {
    private func text(_ line: String, language: String = "en") -> String? { TailText(language: language).line(Array(line.utf8)) }
    private static let indent = "                     "

    private func entry(_ members: String) -> String {
        #"{"type":"entry","kind":"notification","form":"full","createdAt":"2026-11-28T23:43:53.387Z",\#(members)}"#
    }

    @Test("An entry is one line with its time, channel, number, type and text")
    func notification() {
        let one =
            #""channel":"inbox","seq":1,"id":"a","event":"peer-review.requested","priority":"normal","title":"A review waits for you""#
        #expect(text(entry(one)) == "2026-11-28 23:43:53  inbox #1  peer-review.requested: A review waits for you")
        let urgent = #""channel":"broadcast:system","seq":7,"event":"maintenance","priority":"high","title":"Back at noon""#
        let more = #","body":"Nothing is lost","link":"/status","expiresAt":"2026-11-29T12:00:00.000Z","replay":true"#
        let shown =
            "broadcast:system #7  [high] maintenance: Back at noon – Nothing is lost  /status  (until 2026-11-29T12:00:00.000Z)  (replay)"
        #expect(text(entry(urgent + more)) == "2026-11-28 23:43:53  \(shown)")
        let message = #""channel":"conversation:c","seq":2,"event":"message","priority":"normal","sender":"bob","body":"Bonjour""#
        #expect(text(entry(message)) == "2026-11-28 23:43:53  conversation:c #2  bob: Bonjour")
    }

    @Test(
        "A text in several languages is shown in the user's, else in English, else in the first",
        arguments: [("fr", "Bonjour"), ("de", "Hello")])
    func languages(_ language: String, _ shown: String) {
        let both = #""channel":"inbox","seq":1,"event":"e","title":{"fr":"Bonjour","en":"Hello"}"#
        #expect(text(entry(both), language: language)?.hasSuffix("e: \(shown)") == true)
        let other = #""channel":"inbox","seq":1,"event":"e","title":{"it":"Ciao"}"#
        #expect(text(entry(other), language: language)?.hasSuffix("e: Ciao") == true)
    }

    @Test(
        "Every other push and reply is one indented line, or none",
        arguments: [
            (#"{"type":"signal","signal":"live","channel":"inbox","seq":3}"#, "inbox: live after #3"),
            (#"{"type":"signal","signal":"typing","channel":"conversation:c","user":"bob"}"#, "conversation:c: bob is typing"),
            (#"{"type":"signal","signal":"conversation","channel":"conversation:c","user":"bob"}"#, "conversation:c: opened by bob"),
            (#"{"type":"signal","signal":"unsubscribed","channel":"broadcast:x:1"}"#, "broadcast:x:1: may not be followed any more"),
            (
                #"{"type":"cursor","channel":"inbox","delivered":3,"seen":2,"read":1,"readAlso":[]}"#,
                "inbox: delivered #3, seen #2, read #1"
            ),
            (
                #"{"type":"receipt","channel":"conversation:c","user":"bob","delivered":2,"read":1}"#,
                "conversation:c: bob has got #2, read #1"
            ),
            (
                #"{"type":"counters","version":2,"channels":[{"channel":"inbox","unread":1,"urgent":1}],"totals":{"unread":2,"urgent":1}}"#,
                "inbox: 1 unread (1 urgent); in all 2 unread (1 urgent)"
            ),
            (#"{"type":"bye","code":4200,"reason":"draining","reconnect":true}"#, "the hub closes: 4200 draining"),
            (#"{"re":1,"ok":{"session":"s","user":"alice","channels":[{"channel":"inbox"}]}}"#, "connected as alice, 1 channel"),
            (#"{"re":2,"ok":{"channel":"inbox","head":3,"unread":2,"urgent":0,"since":1}}"#, "inbox: followed after #1 of 3, 2 unread"),
            (#"{"re":2,"error":{"code":"forbidden","message":"no","temporary":false}}"#, "refused: forbidden: no"),
            (#"{"type":"new-in-a-later-version","x":1}"#, #"{"type":"new-in-a-later-version","x":1}"#),
        ])
    func others(_ line: String, _ shown: String) {
        #expect(text(line) == Self.indent + shown)
        #expect(text(#"{"re":3,"ok":{"channel":"inbox","delivered":3}}"#) == nil)
    }

    @Test("A text of somebody else cannot control the terminal or break the line")
    func escapes() {
        let hostile = #""channel":"inbox","seq":1,"event":"e","title":"a\u001b[2Jb\nc\u009bd\u202ee\u0007""#
        #expect(text(entry(hostile))?.hasSuffix("e: a\u{FFFD}[2Jb c\u{FFFD}d\u{FFFD}e\u{FFFD}") == true)
        #expect(text("\u{1B}[31mnot JSON") == "\u{FFFD}[31mnot JSON")
    }
}

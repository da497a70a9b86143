import DeviceCore
import Testing

@Suite struct JSONWriterTests {
    @Test func writesOneCompactLine() {
        let value: JSONValue = [
            "event": "led", "id": 1, "on": true, "level": 0.5, "none": .null, "list": [1, "a", []], "empty": [:],
        ]
        #expect(
            value.description
                == #"{"event":"led","id":1,"on":true,"level":0.5,"none":null,"list":[1,"a",[]],"empty":{}}"#)
    }

    @Test func escapesWhatWouldBreakALineOrSteerATerminal() {
        #expect(
            JSONWriter.quoted("\"\\/\n\r\t\u{0}\u{1B}[2J\u{7F}\u{9B}\u{2028}é😀")
                == #""\"\\/\n\r\t\u0000\u001b[2J\u007f\u009b\u2028é😀""#)
        #expect(JSONWriter.quoted("\r\n") == #""\r\n""#)
    }

    @Test func everyCharacterComesBack() throws {
        let text = String(String.UnicodeScalarView((0...0x2100).compactMap { Unicode.Scalar($0) })) + "😀"
        #expect(try JSONValue(parsing: JSONWriter.quoted(text), options: .message).stringValue == text)
    }

    @Test(arguments: [1.0, 1e20, 1e-7, 1e-300, .greatestFiniteMagnitude, -0.0, 0.1, 1 / 3])
    func everyNumberComesBack(number: Double) throws {
        #expect(try JSONValue(parsing: JSONValue.number(number).description) == .number(number))
    }

    @Test func whatJSONCannotSayIsNull() {
        #expect(JSONValue.number(.nan).description == "null")
        #expect(JSONValue.number(-.infinity).description == "null")
    }

    @Test func objectsKeepTheirOrderAndCompareWithoutIt() {
        var object: JSONObject = ["b": 1, "a": 2]
        object["c"] = 3
        object["b"] = 4
        #expect(object.description == #"{"b":4,"a":2,"c":3}"#)
        object["a"] = nil
        object["a"] = .null
        #expect(object.description == #"{"b":4,"c":3,"a":null}"#)
        #expect(object == ["a": .null, "b": 4, "c": 3])
        #expect(object != ["b": 4, "c": 3])
        #expect(object.map(\.key) == ["b", "c", "a"])
        #expect(JSONObject([("x", 1), ("x", 2)]).description == #"{"x":2}"#)
    }
}

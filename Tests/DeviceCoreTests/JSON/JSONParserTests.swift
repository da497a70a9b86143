import DeviceCore
import Testing

@Suite struct JSONParserTests {
    /// The error that a text gives.
    private func failure(_ text: String, _ options: JSONParsingOptions = .settingsFile) -> DeviceError? {
        do throws(DeviceError) {
            _ = try JSONValue(parsing: text, named: "f", options: options)
            return nil
        } catch { return error }
    }

    @Test func readsEveryKindOfValue() throws {
        let value = try JSONValue(
            parsing: #" {"a": [1, -2.5, 1e3, true, false, null], "b": {"c": "é\n\u00e9\ud83d\ude00\/"}, "": ""} "#)
        #expect(
            value == [
                "a": [1, -2.5, .number(1000), true, false, .null], "b": ["c": "é\né😀/"], "": "",
            ])
        #expect(value.objectValue?.keys == ["a", "b", ""])
        #expect(value["a"]?[1]?.doubleValue == -2.5)
        #expect(value["a"]?[9] == nil)
        #expect(value["b"]?["c"]?.stringValue == "é\né😀/")
        #expect(value["x"]?["y"] == nil)
    }

    @Test(arguments: [
        ("0", JSONValue.integer(0)), ("-0", .number(-0.0)), ("9223372036854775807", .integer(.max)),
        ("-9223372036854775808", .integer(.min)), ("9223372036854775808", .unsigned(1 << 63)),
        ("18446744073709551615", .unsigned(.max)), ("18446744073709551616", .number(0x1p64)),
        ("-9223372036854775809", .number(-0x1p63)),
        ("0.1", .number(0.1)), ("1e-300", .number(1e-300)), ("1e-999", .number(0)), ("12E+1", .number(120)),
    ])
    func numbersAreExactOrNearest(text: String, value: JSONValue) throws {
        #expect(try JSONValue(parsing: text) == value)
    }

    @Test func wholeNumbersThatMayBeRoundedAreNotWhole() throws {
        #expect(JSONValue.number(7).integerValue == 7)
        #expect(JSONValue.number(7.5).integerValue == nil)
        #expect(JSONValue.number(0x1p53).integerValue == nil)
        #expect(JSONValue.number(.nan).integerValue == nil)
        #expect(JSONValue.number(-.infinity).integerValue == nil)
        #expect(JSONValue.integer(.max).integerValue == .max)
        #expect(JSONValue.integer(3).doubleValue == 3)
    }

    @Test(arguments: [
        ("", "f:1:1: there is no JSON value here"), (" \n // x", "f:2:6: there is no JSON value here"),
        ("{} {}", "f:1:4: '{' after the end of the value"),
        ("[1,]", "f:1:4: a value is missing before ']'"), ("{\"a\":1,}", "f:1:8: expected a name in double quotes"),
        ("[1 2]", "f:1:4: expected , or ] instead of '2'"), ("{'a':1}", "f:1:2: expected a name"),
        ("{a:1}", "f:1:2: expected a name"), ("{\"a\"=1}", "f:1:5: expected : after the name instead of '='"),
        ("{\"é\":1,\r\n \"é\":2}", "f:2:2: \"é\" is here a second time"),
        ("[True]", "f:1:2: True is no JSON value"), ("NaN", "f:1:1: NaN is no JSON value"),
        ("[", "f:1:2: a value is missing before the end of the text"), ("{\"a\":", "f:1:6: a value is missing"),
        ("\"abc", "f:1:1: the string that begins here has no closing quote"),
        ("\"a\nb\"", "f:1:1: the string that begins here has no closing quote on its line"),
        ("\"a\tb\"", "f:1:3: byte 0x9 is a control character"), ("\"\\x\"", "f:1:2: a backslash cannot"),
        ("\"\\u12g4\"", "f:1:2: \\u needs four"), ("\"\\u12", "f:1:2: \\u needs four"), ("\"\\", "f:1:2: a backslash"),
        ("\"\\ud800\"", "f:1:2: this is half of a surrogate pair"), ("\"\\udc00\"", "f:1:2: this is half"),
        ("\"\\ud800\\u0041\"", "f:1:2: this is half"), ("\"\\ud800\\u00", "f:1:8: \\u needs four"),
        ("01", "f:1:1: a number cannot begin with 0"), ("-01", "f:1:1: a number cannot begin with 0"),
        ("-", "f:1:2: expected a digit"), ("1.", "f:1:3: expected a digit after"),
        ("1e+", "f:1:4: expected a digit in"),
        ("+1", "f:1:1: '+' cannot begin"), (".5", "f:1:1: '.' cannot begin"), ("0x1F", "f:1:2: 'x' cannot stand"),
        ("1.2.3", "f:1:4: '.' cannot stand"), ("1e999", "f:1:1: 1e999 is too large"),
        ("{} /* x", "f:1:4: the comment that begins here has no end"), ("/*/", "f:1:1: the comment"),
        ("{ # x\n}", "f:1:3: expected a name"), ("[/]", "f:1:2: a value is missing before '/'"),
    ])
    func errorsSayWhereAndWhat(text: String, message: String) throws {
        let error = try #require(failure(text))
        #expect(error.message.hasPrefix(message), "\(error)")
        #expect(error.code == .configuration)
    }

    @Test func commentsStandWhereBlanksMayAndOnlyIfAllowed() throws {
        let text = "/* a */ { // b \"}\n \"k\" /**/ : /* * / */ [ 1 , // c\r 2 /***/ ] } // end"
        #expect(try JSONValue(parsing: text) == ["k": [1, 2]])
        let error = try #require(failure("[1, // one\n2]", .message))
        #expect(error.description == "f:1:5: a value is missing before '/'. Comments are not allowed here.")
        #expect(error.code == .protocolViolation)
        // A comment mark within a string is text.
        #expect(try JSONValue(parsing: #"["http://x/*y*/"]"#) == ["http://x/*y*/"])
    }

    @Test func bytesThatAreNotUTF8AreErrorsExceptInComments() throws {
        let quote = UInt8(ascii: "\"")
        for bad: [UInt8] in [[0xFF], [0xC3], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF5, 0x80, 0x80, 0x80]] {
            #expect(throws: DeviceError.self) { try JSONValue(parsing: [quote] + bad + [quote]) }
            #expect(throws: DeviceError.self) { try JSONValue(parsing: bad) }
            #expect(try JSONValue(parsing: Array("//".utf8) + bad + Array("\n1".utf8)) == 1)
        }
        #expect(try JSONValue(parsing: [0xEF, 0xBB, 0xBF, UInt8(ascii: "1")]) == 1)
        let utf16 = #expect(throws: DeviceError.self) { try JSONValue(parsing: [0xFF, 0xFE, 0x7B, 0x00]) }
        #expect(utf16?.hint == "Save the file as UTF-8")
    }

    @Test func depthAndSizeAreBounded() throws {
        let deep = { (count: Int) in String(repeating: "[", count: count) + String(repeating: "]", count: count) }
        #expect(failure(deep(64)) == nil)
        #expect(failure(deep(65))?.message == "f:1:65: arrays and objects nest deeper than 64")
        var options = JSONParsingOptions.settingsFile
        options.maximumDepth = .max
        #expect(failure(deep(256), options) == nil)
        #expect(failure(String(repeating: "[", count: 1_000_000), options) != nil)
        #expect(failure(String(repeating: "{\"a\":", count: 100_000), options) != nil)
        options.maximumSize = 4
        #expect(failure("12345", options)?.message == "f has 5 bytes, more than the 4 allowed")
        #expect(failure("1234", options) == nil)
        #expect(failure(String(repeating: "1", count: 100_000))?.message == "f:1:1: this number is too long")
        #expect(failure(String(repeating: "1", count: 1000))?.message == "f:1:1: this number is too large")
    }

    /// Every prefix of a text, and every text with one byte changed, is a value or an error.
    @Test func neverTraps() throws {
        let text = Array(#"{"a":[1,-2.5e+3,"\ud83d\ude00\n",true,null,{}],/*x*/"b":0.1//y"#.utf8) + Array("\n}".utf8)
        #expect(throws: Never.self) { try JSONValue(parsing: text) }
        for index in text.indices {
            #expect(throws: DeviceError.self) { try JSONValue(parsing: text.prefix(index)) }
            for byte in UInt8.min...UInt8.max {
                var changed = text
                changed[index] = byte
                let value = try? JSONValue(parsing: changed)
                if let value { #expect(try JSONValue(parsing: value.description, options: .message) == value) }
            }
        }
    }
}

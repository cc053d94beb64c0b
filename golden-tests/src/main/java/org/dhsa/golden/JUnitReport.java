package org.dhsa.golden;

import java.io.StringWriter;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import javax.xml.stream.XMLOutputFactory;
import javax.xml.stream.XMLStreamException;
import javax.xml.stream.XMLStreamWriter;

/// A run as JUnit XML, which most CI servers show by themselves: a suite for each stage, a test for each case.
///
/// A case that is not covered is a skipped test, with the reason; a near-tie is a passed one that says so.
public final class JUnitReport {

    private JUnitReport() {}

    /// @param name what was checked
    public static String of(GoldenRun run, String name) {
        Map<String, List<CaseResult>> suites = run.cases().stream().collect(Collectors.groupingBy(c -> folder(c.id()), LinkedHashMap::new, Collectors.toList()));
        StringWriter text = new StringWriter();
        try {
            XMLStreamWriter xml = XMLOutputFactory.newInstance().createXMLStreamWriter(text);
            xml.writeStartDocument("UTF-8", "1.0");
            start(xml, "\n", "testsuites", "name", name);
            counts(xml, run.cases());
            for (Map.Entry<String, List<CaseResult>> suite : suites.entrySet()) {
                start(xml, "\n ", "testsuite", "name", suite.getKey());
                counts(xml, suite.getValue());
                for (CaseResult result : suite.getValue()) {
                    test(xml, result);
                }
                end(xml, "\n ");
            }
            end(xml, "\n");
            xml.writeEndDocument();
            xml.close();
        } catch (XMLStreamException e) {
            throw new IllegalStateException("text cannot fail to be written", e);
        }
        return text + "\n";
    }

    private static void test(XMLStreamWriter xml, CaseResult result) throws XMLStreamException {
        start(xml, "\n  ", "testcase", "classname", folder(result.id()).replace('/', '.'));
        xml.writeAttribute("name", result.id().substring(result.id().lastIndexOf('/') + 1));
        switch (result.verdict()) {
            case PASS -> {}
            case NEAR_TIE -> element(xml, "system-out", "", "near-tie: " + what(result));
            case FAIL -> element(xml, "failure", what(result), details(result));
            case ERROR -> element(xml, "error", what(result), details(result));
            case NOT_COVERED -> element(xml, "skipped", "not covered: " + result.message(), "");
        }
        end(xml, "\n  ");
    }

    private static String what(CaseResult result) {
        return result.firstDivergence().filter(c -> !c.tensor().isEmpty()).map(Comparison::where).orElse(result.message());
    }

    private static String details(CaseResult result) {
        return result.firstDivergence().filter(c -> !c.worstIndex().isEmpty())
                .map(c -> "at " + c.worstIndex() + ": expected " + c.expected() + ", actual " + c.actual() + ", error " + c.maxAbs() + ", allowed " + c.budget() + "\n").orElse("")
                + result.diagnosis().map(d -> "diagnosis: " + d.text()).orElse("");
    }

    private static void counts(XMLStreamWriter xml, List<CaseResult> cases) throws XMLStreamException {
        xml.writeAttribute("tests", Integer.toString(cases.size()));
        xml.writeAttribute("failures", count(cases, Verdict.FAIL));
        xml.writeAttribute("errors", count(cases, Verdict.ERROR));
        xml.writeAttribute("skipped", count(cases, Verdict.NOT_COVERED));
    }

    private static String count(List<CaseResult> cases, Verdict verdict) {
        return Long.toString(cases.stream().filter(c -> c.verdict() == verdict).count());
    }

    private static void start(XMLStreamWriter xml, String indent, String name, String attribute, String value) throws XMLStreamException {
        xml.writeCharacters(indent);
        xml.writeStartElement(name);
        xml.writeAttribute(attribute, printable(value));
    }

    private static void end(XMLStreamWriter xml, String indent) throws XMLStreamException {
        xml.writeCharacters(indent);
        xml.writeEndElement();
    }

    private static void element(XMLStreamWriter xml, String name, String message, String text) throws XMLStreamException {
        xml.writeCharacters("\n   ");
        xml.writeStartElement(name);
        if (!message.isEmpty()) {
            xml.writeAttribute("message", printable(message));
        }
        xml.writeCharacters(printable(text));
        xml.writeEndElement();
    }

    /// What a program said may hold characters that XML has no way to write.
    private static String printable(String text) {
        return text.codePoints().map(c -> c == '\t' || c == '\n' || c == '\r' || c >= 0x20 && c < 0xD800 || c >= 0xE000 && c < 0xFFFE || c >= 0x10000 ? c : '?')
                .collect(StringBuilder::new, StringBuilder::appendCodePoint, StringBuilder::append).toString();
    }

    private static String folder(String id) {
        int slash = id.lastIndexOf('/');
        return slash < 0 ? id : id.substring(0, slash);
    }
}

/// From result files to one page: read and checked together, a report for each task, sections, and the page around them.
package org.dhsa.eval.report;

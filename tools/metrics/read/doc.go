// Package read reads reference captions and predictions from the file forms
// people have: COCO annotations and results, the list form of MAGIC's results,
// Karpathy's split files, Flickr token files, TSV, CSV and JSON lines.
//
// Every form is read as a stream, record by record; every error names the file,
// the line and what to do. It does not score anything.
//
// tools/metrics and commands may import it.
package read

// Package stats tells how sure a metric's value is and whether two systems
// differ: bootstrap intervals, paired tests and Kendall's rank correlation.
//
// It knows nothing of captions: it takes rows of numbers, one per picture.
//
// tools/metrics may import it.
package stats

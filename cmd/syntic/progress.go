package main

import (
	"fmt"
	"time"

	"github.com/schollz/progressbar/v3"
)

// lineEvery is how often progress is a plain line where there's no terminal.
const lineEvery = 10 * time.Second

// A bar needs this many columns, and this many with rate and time left; on
// narrower terminals it would wrap and leave its first half behind.
const (
	barColumns  = 36
	rateColumns = 66
)

// progress shows how far long work is: a bar on a terminal of some width, a line
// now and then elsewhere, nothing for --quiet or a single item.
type progress struct {
	a     *app
	what  string
	total int
	done  int
	bar   *progressbar.ProgressBar
	began time.Time
	last  time.Time
}

func (a *app) newProgress(what string, total int) *progress {
	p := &progress{a: a, what: what, total: total, began: time.Now(), last: time.Now()}
	if a.columns >= barColumns && !a.quiet && total > 1 {
		options := []progressbar.Option{
			progressbar.OptionSetWriter(a.err), progressbar.OptionSetDescription(what), progressbar.OptionShowCount(),
			progressbar.OptionThrottle(100 * time.Millisecond), progressbar.OptionClearOnFinish(), progressbar.OptionFullWidth(),
		}
		if a.columns >= rateColumns {
			options = append(options, progressbar.OptionShowIts(), progressbar.OptionSetItsString(what))
		} else {
			options = append(options, progressbar.OptionSetElapsedTime(false), progressbar.OptionSetPredictTime(false))
		}
		p.bar = progressbar.NewOptions(total, options...)
		_ = p.bar.RenderBlank() // the rate counts from here
	}
	return p
}

// add counts n more items. Errors of the terminal don't matter to the work.
func (p *progress) add(n int) {
	p.done += n
	switch {
	case p.bar != nil:
		_ = p.bar.Add(n)
	case !p.a.quiet && p.total > 1 && time.Since(p.last) > lineEvery:
		p.last = time.Now()
		rate := float64(p.done) / time.Since(p.began).Seconds()
		left := time.Duration(float64(p.total-p.done) / rate * float64(time.Second)).Round(time.Second)
		fmt.Fprintf(p.a.err, "%d of %d %s, %.3g/s, %v left\n", p.done, p.total, p.what, rate, left)
	}
}

// pause clears the bar, so that other output doesn't mix with it.
func (p *progress) pause() {
	if p.bar != nil {
		_ = p.bar.Clear()
	}
}

// finish ends the display.
func (p *progress) finish() {
	if p.bar != nil {
		_ = p.bar.Finish()
	}
}

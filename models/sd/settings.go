package sd

import (
	"fmt"
	"math"

	"syntic/models/sd/sched"
	"syntic/models/vision"
)

// Settings are what the pictures drawn together share. The zero value of a field
// means the default, but for Steps and Guidance, which have none.
type Settings struct {
	Width, Height int     // pixels, multiples of Pipeline.Grain; the init picture's or the model's own size if 0
	Steps         int     // denoising steps, before Strength
	Guidance      float64 // how much the prompt counts; up to 1 means no guidance, at half the work
	Scheduler     string  // one of sched.Names; the model's own if ""
	Eta           float64 // DDIM's share of fresh noise
	Torch         bool    // noise as PyTorch's generator on the CPU draws it

	Init     *vision.Picture // begin with this picture instead of noise
	Strength float64         // with Init: the share of the steps taken, 0 to 1
	Tiles    bool            // decode by overlapping tiles: less memory, small differences
	Singly   bool            // decode one latent at a time even where the device takes several: less memory
}

// The bounds of settings; they only keep mistakes from running for days.
const (
	maxSide     = 8192
	maxSteps    = 1000
	maxGuidance = 1000
)

// Grain returns what width and height are multiples of.
func (p *Pipeline) Grain() int { return p.VAE.Factor() }

// Complete returns the settings with the sizes filled in, checked.
func (p *Pipeline) Complete(s Settings) (Settings, error) {
	f := p.VAE.Factor()
	native := p.UNet.cfg.Sample * f
	if s.Init != nil && s.Width == 0 && s.Height == 0 {
		s.Width, s.Height = max(s.Init.W/f*f, f), max(s.Init.H/f*f, f)
	}
	if s.Width == 0 {
		s.Width = native
	}
	if s.Height == 0 {
		s.Height = native
	}
	for _, side := range []struct {
		name string
		n    int
	}{{"width", s.Width}, {"height", s.Height}} {
		if side.n < f || side.n > maxSide {
			return s, fmt.Errorf("a %s of %d pixels can't be drawn; it may be %d to %d, and this model was trained on %d", side.name, side.n, f, maxSide, native)
		}
		if down := side.n / f * f; down != side.n {
			return s, fmt.Errorf("a %s of %d pixels can't be drawn: it must be a multiple of %d, such as %d or %d", side.name, side.n, f, down, down+f)
		}
	}
	if s.Scheduler == "" {
		s.Scheduler = p.SchedulerName()
	}
	switch {
	case s.Steps < 1 || s.Steps > maxSteps:
		return s, fmt.Errorf("%d steps: must lie between 1 and %d", s.Steps, maxSteps)
	case !(s.Guidance >= 0 && s.Guidance <= maxGuidance): // NaN too
		return s, fmt.Errorf("a guidance of %g: must lie between 0 and %d; 7.5 is usual, up to 1 means none", s.Guidance, maxGuidance)
	case s.Init == nil && s.Strength != 0:
		return s, fmt.Errorf("a strength of %g without a picture to begin with", s.Strength)
	case s.Init != nil && !(s.Strength > 0 && s.Strength <= 1):
		return s, fmt.Errorf("a strength of %g: must be above 0 and at most 1", s.Strength)
	case s.Init != nil && sched.Start(s.Steps, s.Strength) >= s.Steps:
		return s, fmt.Errorf("a strength of %g takes none of %d steps; raise one of them", s.Strength, s.Steps)
	case math.IsNaN(s.Eta):
		return s, fmt.Errorf("an eta that isn't a number")
	}
	return s, nil
}

// scheduler makes the scheduler of settings that Complete returned.
func (p *Pipeline) scheduler(s Settings) (*sched.Scheduler, error) {
	config, err := sched.ParseConfig(p.sched, s.Scheduler)
	if err != nil {
		return nil, err
	}
	o := sched.Options{Eta: s.Eta}
	if s.Init != nil {
		o.Start = sched.Start(s.Steps, s.Strength)
	}
	return sched.New(config, s.Steps, o)
}

// SchedulerName returns the name of the model's own scheduler.
func (p *Pipeline) SchedulerName() string {
	c, err := sched.ParseConfig(p.sched, "")
	if err != nil {
		return "" // Load has checked it
	}
	return string(c.Method)
}

package main
import ("context";"fmt";"os";"runtime/pprof";"time";"syntic/models/sd";"syntic/nn";"syntic/tensor/cpu";"syntic/weights";"syscall")
func cpuS() float64 { var r syscall.Rusage; syscall.Getrusage(0,&r); return float64(r.Utime.Sec)+float64(r.Utime.Usec)/1e6+float64(r.Stime.Sec)+float64(r.Stime.Usec)/1e6 }
func main(){
 o:=cpu.Options{Threads:1}
 if len(os.Args)>2 { fmt.Sscan(os.Args[2],&o.MaxError) }
 d,err:=cpu.New(o); if err!=nil {panic(err)}
 cfg:=[]byte(`{"cross_attention_dim": 768}`)
 c,_:=sd.ParseUNet(cfg)
 u,err:=sd.LoadUNet(d,cfg,weights.Synthetic(1,nn.List(sd.NewUNet(c),""))); if err!=nil {panic(err)}
 ctx:=context.Background()
 if err:=u.SetContext(ctx,make([]float32,2*77*768),2); err!=nil {panic(err)}
 x:=make([]float32,2*64*64*4); for i:=range x { x[i]=float32(i%17)/17-0.5 }
 out:=make([]float32,len(x))
 u.Step(ctx,out,x,[]float64{500,500},64,64)
 if os.Args[1]!="-" { f,_:=os.Create(os.Args[1]); pprof.StartCPUProfile(f) }
 for i:=0;i<2;i++ { t:=time.Now(); a:=cpuS(); u.Step(ctx,out,x,[]float64{500,500},64,64); fmt.Println(time.Since(t), cpuS()-a) }
 pprof.StopCPUProfile()
}

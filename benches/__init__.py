"""Papers as benches: registry, runner, results and the command line. The only package that plots or prints."""

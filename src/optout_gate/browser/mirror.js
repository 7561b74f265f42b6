(function(d,l,a,i){
function g(n){return(d.cookie.match('(^| )'+n+'=([^;]*)')||'')[2]||''}
function s(n,x,h){d.cookie=n+'='+x+';Path=/;SameSite=Lax;Max-Age='+(x?3e7:0)+h+(location.protocol[5]?';Secure':'')}
function p(n,x){var k=n+'_m',m=g(k),c=g(n),h=d.domain
if(m&&x!=m||x&&(!c||x[2]=='Y'&&c[2]!='Y')){for(;m&&h;h=h.replace(/^[^.]*.?/,''))s(n,'',';Domain='+h)
s(n,x,'');s(k,x,'')}}
function v(x){p('us_privacy',x&&'1-Y-')}
addEventListener('click',function(){l=2e3},1)
setInterval(function(){for(i=l-->0&&5;i--;)try{
i>3?(__gpp.o||__gpp)('ping',function(a){a&&a.signalStatus=='ready'&&(p('__gpp',a.gppString),p('__gpp_sid',(a=a.applicableSections)>'0'&&a))}):
i>2?(__uspapi.o||__uspapi)('getUSPData',1,function(a){a&&p('usprivacy',a.uspString)}):
i>1?v((a=Osano.cm.getConsent()).OPT_OUT<'B'||a.MARKETING>'B'):
i?(a=Termly.getConsentState().advertising)===!!a&&v(!a):
__ucCmp.getConsentDetails().then(function(a){v((a=a.consent).type<'F'&&a.status!='ALL_ACCEPTED')}).catch(String)}catch(e){}},99)})(document,2e3)

// Juniper Health Plan: what the site itself needs in the browser. No tracker is needed for any of it.
(function () {
  'use strict';

  // Enrolment. The order is the one found on real sites: tell every vendor, let Google's callback send the form.
  // The calls stand unguarded, as they do in the wild, because each vendor's bootstrap defines its queue. The timer
  // is armed first, so the form goes off after a second even when a vendor is gone and its call throws.
  var enroll = document.getElementById('enroll-form');
  if (enroll) {
    enroll.addEventListener('submit', function (event) {
      event.preventDefault();
      var sent = false;
      function send(by) {
        if (sent) return;
        sent = true;
        enroll.elements.sent_by.value = by;
        HTMLFormElement.prototype.submit.call(enroll);
      }
      setTimeout(function () { send('timer'); }, 1000);
      var plan = enroll.elements.plan.value;
      fbq('track', 'Lead', { content_name: 'enroll', content_category: plan });
      ttq.track('SubmitForm', { content_name: plan });
      lintrk('track', { conversion_id: 0 });
      twq('event', 'tw-demo0-demo0', { value: null });
      window.uetq = window.uetq || [];
      window.uetq.push('event', 'submit_lead_form', {});
      if (window._satellite) _satellite.track('enroll-submit', { plan: plan });
      if (window.utag) utag.link({ event_name: 'enroll_submit', plan: plan });
      gtag('event', 'generate_lead', {
        currency: 'USD',
        value: 0,
        plan: plan,
        event_callback: function () { send('callback'); }
      });
    });
  }

  // Find a doctor: a search over the site's own JSON.
  var finder = document.getElementById('finder');
  if (finder) {
    var list = document.getElementById('doctors');
    var count = document.getElementById('doctor-count');

    var add = function (parent, name, className, text) {
      var element = document.createElement(name);
      if (className) element.className = className;
      element.textContent = text;
      parent.appendChild(element);
      return element;
    };

    var show = function (doctors) {
      list.textContent = '';
      count.textContent = doctors.length === 1 ? '1 doctor in the network' : doctors.length + ' doctors in the network';
      doctors.forEach(function (doctor) {
        var item = add(list, 'li', 'doctor', '');
        add(item, 'span', 'doctor__face', doctor.initials).setAttribute('aria-hidden', 'true');
        add(item, 'h3', '', doctor.name);
        add(item, 'p', '', doctor.specialty + ' · ' + doctor.practice);
        add(item, 'p', 'small', doctor.city + ', ' + doctor.zip + ' · ' + doctor.languages.join(', '));
        if (doctor.accepting) {
          var tag = add(item, 'span', 'tag', 'Accepting new patients');
          tag.style.gridColumn = '2';
          tag.style.justifySelf = 'start';
        }
      });
    };

    var search = function () {
      var query = new URLSearchParams(new FormData(finder)).toString();
      fetch('/api/doctors?' + query).then(function (answer) { return answer.json(); }).then(function (found) {
        show(found.doctors);
        window.dataLayer = window.dataLayer || [];
        window.dataLayer.push({ event: 'doctor_search', search_term: finder.elements.q.value, results: found.doctors.length });
        if (window.mixpanel) mixpanel.track('Doctor search', { specialty: finder.elements.specialty.value });
        if (window.analytics) analytics.track('Doctor Searched', { specialty: finder.elements.specialty.value });
      });
    };

    new URLSearchParams(location.search).forEach(function (value, name) {
      if (finder.elements[name]) finder.elements[name].value = value;
    });
    finder.addEventListener('submit', function (event) {
      event.preventDefault();
      search();
    });
    search();
  }

  // What was chosen on the home page arrives on the enrolment form.
  if (enroll) {
    new URLSearchParams(location.search).forEach(function (value, name) {
      if (name === 'zip' || name === 'plan') enroll.elements[name].value = value;
    });
  }
})();
